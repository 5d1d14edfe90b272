// Echo over k6: 1,000 virtual users with a connection each, one message under way.
// URL, CONNS, SIZE and MILLISECONDS come from the environment.
import ws from "k6/ws";

const conns = Number(__ENV.CONNS), size = Number(__ENV.SIZE), end = Number(__ENV.MILLISECONDS);

export const options = {
  scenarios: { echo: { executor: "per-vu-iterations", vus: conns, iterations: 1, maxDuration: "60s", gracefulStop: "1s" } },
};

export default function () {
  const message = new Uint8Array(size).fill(0x5a).buffer;
  ws.connect(__ENV.URL, {}, (socket) => {
    socket.on("open", () => {
      socket.sendBinary(message);
      socket.setTimeout(() => socket.close(), end);
    });
    socket.on("binaryMessage", (data) => {
      if (data.byteLength !== size) throw new Error("another message came back than was sent");
      socket.sendBinary(message);
    });
  });
}

export function handleSummary(data) {
  return { stdout: JSON.stringify({ messages: data.metrics.ws_msgs_received.values.count }) + "\n" };
}

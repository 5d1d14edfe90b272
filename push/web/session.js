// The session: the token, calls that carry it, and the feed of samples.
const storage = "roost-token";

// The token comes in the fragment, which is not sent to any server. It moves to
// this tab's storage, so that the address can be shared or photographed.
const inFragment = () => new URLSearchParams(location.hash.slice(1)).get("token");
if (inFragment()) {
  sessionStorage.setItem(storage, inFragment());
  history.replaceState(null, "", location.pathname);
}
addEventListener("hashchange", () => { if (inFragment()) location.reload(); }); // another token was pasted

export const hasToken = () => Boolean(sessionStorage.getItem(storage));
export const setToken = (text) => sessionStorage.setItem(storage, text.trim().replace(/^.*#token=/, ""));
export const signOut = () => { sessionStorage.removeItem(storage); location.reload(); };

const headers = () => ({ Authorization: "Bearer " + (sessionStorage.getItem(storage) || "") });

export async function call(path, body) {
  const res = await fetch(path, {
    method: body ? "POST" : "GET", body: body && JSON.stringify(body),
    headers: body ? { ...headers(), "Content-Type": "application/json" } : headers(),
  });
  const answer = await res.json().catch(() => ({}));
  if (!res.ok) throw Object.assign(new Error(answer.error || res.statusText), { status: res.status });
  return answer;
}

// listen reads the feed for ever: on(kind, data) for each event, away() when it
// breaks off. An EventSource can't send the token in a header, so fetch reads it.
export async function listen(on, away) {
  for (let wait = 1; ; wait = Math.min(30, wait * 2)) {
    try {
      const res = await fetch("console/stream", { headers: headers() });
      if (!res.ok) throw new Error(res.statusText);
      await events(res.body, (kind, data) => { wait = 1; on(kind, data); });
    } catch { /* the server is away, and the page says so */ }
    away();
    await new Promise((done) => setTimeout(done, wait * 1000 * (0.5 + Math.random() / 2)));
  }
}

// events splits server-sent events as this server writes them: an event line or
// none, one line of data.
async function events(body, on) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; ;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value;
    for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
      const lines = text.slice(0, end).split("\n");
      const field = (name) => lines.find((l) => l.startsWith(name + ": "))?.slice(name.length + 2);
      on(field("event") || "sample", JSON.parse(field("data")));
    }
  }
}

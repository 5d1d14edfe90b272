// pusher (the backend library), unmodified, reads webhooks: stdin is a JSON list
// of {headers, body}. It prints the events of those that it takes for genuine.
import { backend } from "./lib.mjs";

let text = "";
for await (const chunk of process.stdin) text += chunk;
for (const request of JSON.parse(text)) {
  const hook = backend.webhook({ headers: request.headers, rawBody: request.body });
  if (!hook.isValid() || Date.now() - hook.getTime() > 60000) process.exit(1);
  for (const event of hook.getEvents()) console.log(JSON.stringify(event));
}

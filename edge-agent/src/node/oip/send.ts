/** Writes an answer to its socket, head and body in one piece. */
import type { ServerResponse } from "node:http";
import type { OipAnswer } from "./routes.ts";

/** @param last the connection ends with this answer. */
export function send(outgoing: ServerResponse, answered: OipAnswer, last: boolean): void {
  // What was refused before its body was read leaves bytes that nobody will take: the connection ends with the answer.
  const unread = !outgoing.req.complete;
  if (unread || last) outgoing.setHeader("connection", "close");
  if (answered.kind === "infer") {
    const { body } = answered;
    if (body.kind === "text") sendText(outgoing, 200, "application/json", body.text);
    else {
      outgoing.writeHead(200, {
        "content-type": "application/octet-stream",
        "content-length": body.bytes.length,
        "inference-header-content-length": body.headerLength,
      });
      outgoing.end(body.bytes);
    }
  } else if (answered.kind === "text") sendText(outgoing, 200, answered.type, answered.text);
  else {
    const headers = answered.kind === "failure" ? answered.headers : undefined;
    for (const name in headers) outgoing.setHeader(name, headers[name] as string);
    sendText(outgoing, answered.status, "application/json", JSON.stringify(answered.body));
  }
  if (unread) outgoing.req.resume();
}

function sendText(outgoing: ServerResponse, status: number, type: string, text: string): void {
  const length = Buffer.byteLength(text);
  outgoing.writeHead(status, { "content-type": type, "content-length": length });
  // What has as many bytes as characters is ASCII, and leaves without being encoded.
  outgoing.end(text, length === text.length ? "latin1" : "utf8");
}

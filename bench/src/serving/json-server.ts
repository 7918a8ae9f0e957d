/**
 * What any JSON service must do, on node:http: read the body, parse it, and answer something of like shape that depends
 * on it. By itself a server: `node json-server.ts PORT`.
 */
import { createServer, type Server } from "node:http";

export async function startJsonServer(port = 0): Promise<{ server: Server; port: number }> {
  const server = createServer((incoming, outgoing) => {
    const parts: Buffer[] = [];
    incoming.on("data", (part: Buffer) => parts.push(part));
    incoming.on("end", () => {
      const body = Buffer.concat(parts).toString();
      let text = '"ok"';
      if (incoming.method === "POST") {
        const { inputs } = JSON.parse(body) as { inputs: [{ data: number[] }] };
        const data = inputs[0].data.slice(0, 3);
        text = JSON.stringify({ outputs: [{ name: "logits", datatype: "FP32", shape: [1, 3], data }] });
      }
      outgoing.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
      outgoing.end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || !address) throw new Error("the server has no port");
  return { server, port: address.port };
}

if (import.meta.main) {
  const { server } = await startJsonServer(Number(process.argv[2]));
  process.once("SIGTERM", () => {
    server.close();
    server.closeAllConnections();
  });
}

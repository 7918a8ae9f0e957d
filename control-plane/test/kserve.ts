/**
 * An inference server as KServe runs one: it answers `/v1/models/M:predict` and `/v2/models/M/infer`, and its logger posts what
 * was asked and answered as CloudEvents in binary mode, both under the request's id, one after the other, and forgets what is
 * refused. As KServe's agent does it: pkg/logger of kserve/kserve.
 */
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { CloudEvent, HTTP } from "cloudevents";
import { listenLocally } from "./listen.ts";

export interface InferenceServer {
  readonly url: string;
  /** What the logger was answered with. */
  readonly logged: number[];
  /** Resolves when the logger has nothing more to send. */
  idle(): Promise<void>;
}

/** @param answer of the model. @param logger where to post, with the credentials in it, as the InferenceService has them. */
export async function startInferenceServer(
  answer: (path: string, body: unknown) => unknown,
  logger: string,
): Promise<InferenceServer> {
  const logged: number[] = [];
  let queue: Promise<void> = Promise.resolve();
  const log = (type: string, id: string, contentType: string, body: string) => {
    queue = queue.then(async () => {
      const { username, password, origin, pathname } = new URL(logger);
      const event = new CloudEvent({
        id,
        type: `org.kubeflow.serving.inference.${type}`,
        source: "http://localhost:9081/",
        time: new Date().toISOString(),
        datacontenttype: contentType,
        inferenceservicename: "pump",
        namespace: "default",
        component: "predictor",
        endpoint: "default",
        data: Buffer.from(body),
      });
      const headers = {
        ...(HTTP.binary(event).headers as Record<string, string>),
        // Go's client makes Basic authentication of what stands in an address.
        ...(username && { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}` }),
      };
      const posted = await fetch(origin + pathname, { method: "POST", headers, body });
      await posted.body?.cancel();
      logged.push(posted.status);
    });
  };
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const text = await read(request);
    const id = (request.headers["ce-id"] as string | undefined) ?? randomUUID();
    // Of both halves: the request's, as KServe has it.
    const type = request.headers["content-type"] ?? "application/octet-stream";
    const answered = JSON.stringify(answer(request.url ?? "", JSON.parse(text)));
    log("request", id, type, text);
    log("response", id, type, answered);
    response.writeHead(200, { "content-type": "application/json" }).end(answered);
  };
  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  const url = await listenLocally(server);
  return { url, logged, idle: () => queue };
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

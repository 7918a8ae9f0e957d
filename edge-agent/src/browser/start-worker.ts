/** Starts a worker of ours from wherever its script is served. */

/** Browsers start workers of the page's own origin only; such a worker may then import one from elsewhere. */
export function startWorker(url: URL, name: string): Worker {
  const about = { type: "module", name } as const;
  if (url.origin === location.origin) return new Worker(url.href, about);
  const shim = new Blob([`import ${JSON.stringify(url.href)};`], { type: "text/javascript" });
  return new Worker(URL.createObjectURL(shim), about);
}

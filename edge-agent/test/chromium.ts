/** The Chromium that tests and benches start: where it is, and without what it does of its own accord. */
export const chromiumPath = process.env.VEDETTE_CHROMIUM ?? "/usr/bin/chromium";

export const chromiumArgs: readonly string[] = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** What the bundler makes of such an import: the URL of the worker's own bundle. */
declare module "*?worker&url" {
  const url: string;
  export default url;
}

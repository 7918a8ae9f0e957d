/** The page's one style sheet: light and dark, narrow and wide, and on paper. */
export const pageStyle = `
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--soft:#59636e;--line:#d8dee4;--card:#f6f8fa;--ref:#a9b4c0;--cur:#c2410c;
--ok:#1a7f37;--warn:#9a6700;--bad:#b42318;--h1:#fdf0e6;--h2:#fbd9bd;--h3:#f5a66b;--h4:#d9661f;--h5:#9a3412}
@media (prefers-color-scheme:dark){:root{--bg:#0f1318;--fg:#e6edf3;--soft:#9aa7b4;--line:#30363d;--card:#171c23;--ref:#566270;--cur:#fb923c;
--ok:#4ade80;--warn:#facc15;--bad:#f87171;--h1:#2a1d14;--h2:#4a2a15;--h3:#7c3d12;--h4:#c2560f;--h5:#fb923c}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:72rem;background:var(--bg);color:var(--fg);font:16px/1.5 system-ui,sans-serif}
h1{font-size:1.4rem;line-height:1.25;margin:.2rem 0 .6rem;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:2rem 0 .5rem}
h3{font-size:1rem;margin:0 0 .4rem;overflow-wrap:anywhere}
p{margin:.3rem 0}
.soft{color:var(--soft);font-size:.875rem}
.lead{font-size:1.1rem;overflow-wrap:anywhere}
.badge{display:inline-block;padding:0 .5em;border:1px solid currentColor;border-radius:1em;font-size:.85em;font-weight:600;white-space:nowrap}
.v-none,.v-benign{color:var(--ok)}
.v-notice,.v-insufficient,.v-unknown{color:var(--warn)}
.v-drift,.v-critical,.v-harmful{color:var(--bad)}
.v-critical,.v-harmful{border-width:2px}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.875rem}
th,td{padding:.25rem .6rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left}
thead th{color:var(--soft);font-weight:600;vertical-align:bottom}
.heat th.name{writing-mode:vertical-rl;transform:rotate(180deg);text-align:left;padding:.3rem .2rem}
.heat td{text-align:center;border:1px solid var(--bg);padding:.15rem .3rem;min-width:2.6rem}
.h0{color:var(--soft)}.h1{background:var(--h1)}.h2{background:var(--h2)}.h3{background:var(--h3)}
.h4{background:var(--h4);color:#fff}.h5{background:var(--h5);color:#fff}
@media (prefers-color-scheme:dark){.h5{color:#111}}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(19rem,100%),1fr));gap:1rem}
.card{border:1px solid var(--line);border-radius:.5rem;padding:.75rem;background:var(--card);break-inside:avoid}
svg{display:block;width:100%;height:auto}
.time{min-width:32rem}
svg text{fill:var(--soft);font:10px system-ui,sans-serif}
.ref{fill:var(--ref)}.cur{fill:var(--cur)}
.axis{stroke:var(--line);stroke-width:1}
.trace{fill:none;stroke:var(--cur);stroke-width:2}
.alarm{stroke:var(--bad);stroke-width:1;stroke-dasharray:4 3}
circle{fill:var(--bg);stroke:var(--cur);stroke-width:1.5}
circle.v-drift,circle.v-critical{fill:var(--bad);stroke:var(--bad)}
.key{display:inline-block;width:.8em;height:.8em;border-radius:.15em;margin-right:.3em;vertical-align:-.05em}
.key.ref{background:var(--ref)}.key.cur{background:var(--cur)}
ul{padding-left:1.2rem;margin:.3rem 0}
@media print{:root{--bg:#fff;--fg:#000;--soft:#444;--line:#bbb;--card:#fff;--ref:#b8c0c8;--cur:#c2410c;--ok:#1a7f37;--warn:#7a5200;--bad:#b42318;
--h1:#fdf0e6;--h2:#fbd9bd;--h3:#f5a66b;--h4:#d9661f;--h5:#9a3412}
body{max-width:none;padding:0;font-size:11pt;print-color-adjust:exact;-webkit-print-color-adjust:exact}.wide{overflow:visible}h2{break-after:avoid}.h5{color:#fff}}
`;

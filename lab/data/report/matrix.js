// The page without this script has the grid and the reasons; this adds the panel of a cell, filters, keys, and details in print.
// Whatever evidence says is put in as text, never as markup; timelines are parsed as XML and hold no script.
"use strict";

const told = JSON.parse(document.getElementById("cells").textContent);
const cells = new Map(told.cells.map((cell) => [cell.id, cell]));
const panel = document.getElementById("panel");
const content = document.getElementById("panel-content");
const printed = document.getElementById("printed");
const filters = document.getElementById("filters");
const rows = [...document.querySelectorAll("#list tbody tr")];
const links = [...document.querySelectorAll("#grid a.cell")];
const REPOSITORIES = { kubespray: "kubernetes-sigs/kubespray", "kube-vip": "kube-vip/kube-vip", metallb: "metallb/metallb", cilium: "cilium/cilium" };
let shown = rows.map((row) => row.dataset.cell);
let opener = null;

// ---- making elements

function make(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

function section(title, ...children) {
  return children.some((child) => child) ? [make("h3", {}, title), ...children.filter((child) => child)] : [];
}

function folded(title, content, number) {
  return number ? [make("details", {}, make("summary", {}, `${title} (${number})`), content)] : [];
}

function table(heads, lines) {
  if (!lines.length) return null;
  const head = make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)));
  const body = lines.map((line) => make("tr", {}, ...line.map((one) => make("td", {}, ...[one].flat()))));
  return make("div", { class: "scroll" }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...body)));
}

function list(pairs) {
  return make("dl", {}, ...pairs.filter(([, value]) => value !== "" && value !== null).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

function file(path, text) {
  return make("a", { href: path.split("/").map(encodeURIComponent).join("/") }, text || path);
}

function thread(name) {
  const [, repository, number] = /^([\w-]+)#(\d+)$/.exec(name) || [];
  if (!REPOSITORIES[repository]) return name;
  return make("a", { href: `https://github.com/${REPOSITORIES[repository]}/issues/${number}`, rel: "noreferrer" }, name);
}

function between(items, separator) {
  return items.flatMap((item, index) => (index ? [separator, item] : [item]));
}

function cellLink(id) {
  return cells.has(id) ? make("a", { href: `#cell-${id}`, "data-cell": id }, id) : id;
}

const seconds = (value) => (value === null || value === undefined ? "" : `${value.toFixed(value < 10 ? 1 : 0)} s`);
const badge = (outcome) => make("span", { class: `badge ${outcome}` }, `${told.symbols[outcome]} ${outcome}`);

// ---- the details of one cell

function details(cell) {
  const made = make("article", { class: `details ${cell.outcome}` });
  made.append(make("h2", { tabindex: "-1" }, badge(cell.outcome), " ", cell.id), make("p", { class: "summary" }, cell.summary));
  if (!cell.ref) return made; // left out: there is no more than its reason
  if (cell.ended) made.append(make("p", {}, cell.ended));
  made.append(facts(cell), ...predictions(cell), ...cell.findings.flatMap((number) => chain(told.shared[number], cell)));
  made.append(
    ...section("Where to look", cell.look_at.length ? make("p", {}, ...between(cell.look_at.map((path) => file(path, path.replace(`${cell.evidence}/`, ""))), ", ")) : null),
    ...section("Timeline", picture(cell)),
    ...section("Stages", table(["stage", "rc", "took", "kubeadm init", "failed task", "slowest tasks"], cell.stages.map(stage))),
    ...section("Checks", table(["outcome", "check", "node", "seen", "took"], [...cell.checks].sort(worstFirst).map(check))),
    ...section("What it is not", table(["known failure", "ruled out because", "by the line"], cell.ruled_out.map(ruledOut))),
    ...section("Who held which port", cell.ports ? make("p", {}, cell.ports) : null),
    ...section("Memory", memory(cell)),
    ...folded("Where the lab departs from what the release ships", table(["what", "released", "used", "why"], cell.deviations.map(deviation)), cell.deviations.length),
    ...folded("What the nodes could not show", make("ul", {}, ...cell.limits.map((number) => make("li", {}, told.shared[number]))), cell.limits.length),
  );
  return made;
}

function facts(cell) {
  return list([
    ["why this cell", cell.because],
    ["playbooks", cell.ref],
    ["Kubernetes", cell.kube_version],
    ["ordering", cell.ordering],
    ["topology", `${cell.topology}, bed ${cell.bed}, network ${cell.network}, endpoint ${cell.endpoint}`],
    ["mitigations", cell.mitigations.join(", ")],
    ["begun", cell.started],
    ["took", `${seconds(cell.duration_s)}${cell.verdict_after_s === null ? "" : `, verdict ${seconds(cell.verdict_after_s)} after the first node`}`],
    ["judged on the nodes of", cell.judged_in ? cellLink(cell.judged_in) : ""],
    ["the host lacked", cell.host_load],
    ["known", cell.known.length ? make("span", {}, ...between(cell.known.map(thread), ", ")) : ""],
    ["evidence", cell.evidence ? file(cell.evidence) : ""],
  ]);
}

function predictions(cell) {
  const found = cell.findings.map((number) => told.shared[number].signature);
  const lines = cell.predicted.map((one) => [one.name, one.says, one.come]);
  const named = cell.predicted.map((one) => one.name);
  if (lines.length) lines.push(...found.filter((name) => !named.includes(name)).map((name) => [name, "was not predicted", "seen"]));
  return section("Predicted beside seen", table(["failure", "the preflight says", "what came"], lines));
}

function chain(finding, cell) {
  const steps = finding.chain.map((link) =>
    make("li", {}, link.says, make("pre", {}, link.line || "(no line)"), make("span", { class: "where" }, file(`${cell.evidence}/evidence/${link.node}/${link.probe}.txt`, `${link.node}/${link.probe}`))),
  );
  const name = finding.catalogue ? `${finding.signature}, ${finding.catalogue}` : finding.signature;
  const body = make("div", { class: "chain" }, make("ol", {}, ...steps), make("p", {}, make("b", {}, "It means: "), finding.means), make("p", {}, make("b", {}, "What to do: "), finding.fix));
  if (finding.upstream.length) body.append(make("p", {}, make("b", {}, "Upstream: "), ...between(finding.upstream.map(thread), ", ")));
  return section(`From symptom to cause: ${name}`, body);
}

function picture(cell) {
  const of = cell.judged_in || cell.id;
  const evidence = (cells.get(of) || cell).evidence;
  const drawn = told.pictures[of];
  if (drawn === undefined) return null;
  if (drawn === "") return make("p", {}, file(`${evidence}/timeline.svg`)); // the page has no room for all of them
  const root = new DOMParser().parseFromString(drawn, "image/svg+xml").documentElement;
  const words = root.querySelector("desc").textContent.split("\n").map((line) => make("li", {}, line));
  const said = make("details", {}, make("summary", {}, "The same in words"), make("ul", {}, ...words));
  return make("div", {}, make("div", { class: "picture" }, document.importNode(root, true)), make("p", { class: "where" }, file(`${evidence}/timeline.svg`)), said);
}

function stage(one) {
  const rc = one.stopped_after_s === null ? `${one.rc}` : `stopped after ${seconds(one.stopped_after_s)}`;
  const attempts = one.attempts ? `${one.attempts} attempt${one.attempts === 1 ? "" : "s"}, ${seconds(one.init_s)}, rc ${one.init_rc === null ? "unknown" : one.init_rc}` : "";
  const where = make("p", { class: "where" }, [one.failed_at, one.failed_node, one.failed_rc === null ? "" : `rc ${one.failed_rc}`].filter(Boolean).join(", "));
  const first = one.failed_first ? [make("p", {}, "Its first try said:"), make("pre", {}, one.failed_first), make("p", {}, "Its last:")] : [];
  const failed = one.failed_task || one.failed_said ? [one.failed_task || "outside of any task", where, ...first, one.failed_said ? make("pre", {}, one.failed_said) : null] : "";
  const slowest = make("ul", {}, ...one.slowest.map(([task, took]) => make("li", {}, `${task}: ${seconds(took)}`)));
  return [one.stage, rc, seconds(one.duration_s), attempts, failed, one.slowest.length ? slowest : ""].map((part) => (Array.isArray(part) ? part.filter((item) => item) : part));
}

function check(one) {
  const measured = one.measured.map(([name, value]) => `${name} ${value}`).join(", ");
  return [badge(one.outcome), one.check, one.node, measured ? `${one.said} (${measured})` : one.said, seconds(one.duration_s)];
}

function worstFirst(one, other) {
  const order = ["ERROR", "FAIL", "UNKNOWN", "PASS", "SKIP"];
  return order.indexOf(one.outcome) - order.indexOf(other.outcome);
}

function ruledOut(number) {
  const one = told.shared[number];
  return [one.signature, one.because, one.line ? make("pre", {}, one.line) : ""];
}

function deviation(number) {
  const one = told.shared[number];
  return [one.what, one.released, one.used, one.why];
}

function memory(cell) {
  const nodes = Object.entries(cell.memory_mib);
  return nodes.length ? list(nodes.map(([node, mib]) => [node, `${Math.round(mib)} MiB at most`])) : null;
}

// ---- the panel

function open(id, from) {
  const cell = cells.get(id);
  if (!cell) return;
  if (from && !panel.contains(from)) opener = from;
  const made = details(cell);
  made.querySelector("h2").id = "panel-title";
  content.replaceChildren(made);
  const place = shown.indexOf(id);
  document.getElementById("before").disabled = place <= 0;
  document.getElementById("next").disabled = place < 0 || place === shown.length - 1;
  panel.dataset.cell = id;
  if (!panel.open) panel.showModal();
  panel.scrollTop = 0;
  made.querySelector("h2").focus();
  history.replaceState(null, "", `#cell-${encodeURIComponent(id)}`);
}

function step(by) {
  open(shown[shown.indexOf(panel.dataset.cell) + by]);
}

panel.addEventListener("close", () => {
  content.replaceChildren();
  history.replaceState(null, "", location.pathname + location.search);
  if (opener) opener.focus();
});
panel.addEventListener("click", (event) => event.target === panel && panel.close());
document.getElementById("close").addEventListener("click", () => panel.close());
document.getElementById("before").addEventListener("click", () => step(-1));
document.getElementById("next").addEventListener("click", () => step(1));
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-cell]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  open(link.dataset.cell, link);
});
function follow() {
  if (location.hash.startsWith("#cell-")) open(decodeURIComponent(location.hash.slice("#cell-".length)));
}
window.addEventListener("hashchange", follow);

// ---- the grid by keyboard: one stop for Tab, arrows inside

const lines = [...document.querySelectorAll("#grid tbody tr")].map((row) => [...row.querySelectorAll("a.cell")]);

function visible(row) {
  return (lines[row] || []).filter((link) => !link.classList.contains("off"));
}

function stop(link) {
  for (const other of links) other.tabIndex = -1;
  if (link) link.tabIndex = 0;
}

function aim(link, key) {
  const row = lines.findIndex((found) => found.includes(link));
  const here = visible(row);
  const sideways = { ArrowLeft: -1, ArrowRight: 1 }[key];
  if (sideways) return here[here.indexOf(link) + sideways];
  if (key === "Home") return here[0];
  if (key === "End") return here[here.length - 1];
  const down = { ArrowUp: -1, ArrowDown: 1 }[key];
  const column = link.closest("td").cellIndex;
  for (let next = row + down; down && lines[next]; next += down) {
    const near = visible(next).sort((a, b) => Math.abs(a.closest("td").cellIndex - column) - Math.abs(b.closest("td").cellIndex - column))[0];
    if (near) return near;
  }
  return undefined;
}

for (const link of links) link.setAttribute("aria-haspopup", "dialog");
stop(links[0]);
document.getElementById("grid")?.addEventListener("focusin", (event) => event.target.matches("a.cell") && stop(event.target));
document.getElementById("grid")?.addEventListener("keydown", (event) => {
  if (!event.target.matches("a.cell") || !/^(Arrow|Home$|End$)/.test(event.key)) return;
  event.preventDefault();
  aim(event.target, event.key)?.focus();
});

// ---- filters

const haystack = new Map(rows.map((row) => [row.dataset.cell, row.textContent.toLowerCase()]));

function filter() {
  const outcomes = new Set([...filters.querySelectorAll("[name=outcome]:checked")].map((box) => box.value));
  const ref = filters.elements.ref ? filters.elements.ref.value : "";
  const words = filters.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
  shown = [];
  for (const row of rows) {
    const text = haystack.get(row.dataset.cell);
    row.hidden = !(outcomes.has(row.dataset.outcome) && (!ref || row.dataset.ref === ref) && words.every((word) => text.includes(word)));
    if (!row.hidden) shown.push(row.dataset.cell);
  }
  const there = new Set(shown);
  for (const link of links) link.classList.toggle("off", !there.has(link.dataset.cell));
  const left = links.filter((link) => !link.classList.contains("off"));
  const columns = new Set(left.map((link) => link.closest("td").cellIndex));
  for (const row of document.querySelectorAll("#grid tr")) {
    for (const cell of row.cells) cell.hidden = cell.cellIndex > 0 && !columns.has(cell.cellIndex);
    row.hidden = row.parentElement.tagName === "TBODY" && !row.querySelector("a.cell:not(.off)");
  }
  stop(left[0]);
  filters.elements.shown.value = `${shown.length} of ${rows.length} cells`;
}

filters.addEventListener("input", filter);
filters.addEventListener("submit", (event) => event.preventDefault());
filters.hidden = false;
document.querySelector(".hint")?.removeAttribute("hidden");
filter();

// ---- print: the cells that the filters leave, each with all its details

window.addEventListener("beforeprint", () => {
  printed.replaceChildren(...shown.map((id) => details(cells.get(id))));
  for (const folded of printed.querySelectorAll("details")) folded.open = true;
  printed.hidden = false;
});
window.addEventListener("afterprint", () => {
  printed.replaceChildren();
  printed.hidden = true;
});

follow();

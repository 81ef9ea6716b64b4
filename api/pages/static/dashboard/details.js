// A job or worker in full: why it is where it is, and its life so far.
import { read } from "./api.js";
import { byId, element } from "./dom.js";
import { clock, duration } from "./times.js";

export class Details {
  constructor(onSignedOut) {
    this.onSignedOut = onSignedOut;
    this.dialog = byId("details");
    byId("details-close").addEventListener("click", () => this.dialog.close());
  }

  async open(kind, id) {
    byId("details-title").textContent = `${kind} ${id}`;
    const body = byId("details-body");
    body.replaceChildren(element("p", { class: "quiet" }, "asking the router …"));
    if (!this.dialog.open) this.dialog.showModal();
    const path = `/ext/v1/${kind}s/${encodeURIComponent(id)}`;
    const [why, life] = await Promise.allSettled([read(`${path}:explain`), read(`${path}/history`)]);
    body.replaceChildren(
      ...section(kind === "job" ? "Why it is where it is" : "What it waits for", why, explanation),
      ...section("Its life", life, history),
    );
  }
}

function section(title, outcome, show) {
  const content =
    outcome.status === "fulfilled" ? show(outcome.value) : element("p", { class: "bad" }, outcome.reason.message);
  return [element("h3", {}, title), content];
}

/** The sentences of the router, with those of each worker below its name. */
function explanation(value) {
  const parts = [];
  const standing = [value.status ?? value.state, value.queueId && `in ${value.queueId}`, place(value)].filter(Boolean);
  if (standing.length) parts.push(element("p", {}, standing.join(", ")));
  collect(value, parts);
  parts.push(...told("All workers", [value.workers, ...(value.counts ?? [])]));
  parts.push(...told("What changes by itself", value.changes ?? []));
  if (parts.length === 0) parts.push(element("p", {}, "Nothing stands in the way."));
  return element("div", {}, ...parts);
}

function told(title, rows) {
  const messages = rows.filter((row) => row?.message).map((row) => element("li", {}, row.message));
  return messages.length ? [element("h4", {}, title), element("ul", {}, ...messages)] : [];
}

const place = ({ position, queueLength }) => position && `number ${position} of ${queueLength}`;

function collect(value, parts) {
  if (value.reasons?.length) {
    parts.push(element("ul", {}, ...value.reasons.map((reason) => element("li", {}, reason.message))));
  }
  for (const inner of Object.values(value).flat()) {
    if (inner?.reasons) {
      const name = inner.workerId ?? inner.jobId;
      if (name) parts.push(element("h4", {}, name));
      collect(inner, parts);
    }
  }
}

/** What has happened, newest first, with how long each state lasted. */
function history(value) {
  const rows = value.value.map((row) =>
    element(
      "li",
      {},
      element("time", { datetime: row.time, title: row.time }, clock(Date.parse(row.time))),
      ` ${row.type.replace("Router", "").replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase()}`,
      row.state ? element("span", { class: "quiet" }, ` → ${row.state}${lasted(row)}`) : null,
    ),
  );
  const cut = value.cut ? element("p", { class: "quiet" }, "What was before is not kept any more.") : null;
  return element("div", {}, element("ol", { class: "plain" }, ...rows), cut);
}

const lasted = ({ seconds }) => (seconds === undefined ? "" : ` for ${duration(1000 * seconds)}`);

// A job or worker in full: why it is where it is, and its life so far.
import { read, SignedOut } from "./api.js";
import { byId, element } from "./dom.js";
import { clock, exact } from "./times.js";

export class Details {
  constructor(onSignedOut) {
    this.onSignedOut = onSignedOut;
    this.dialog = byId("details");
    byId("details-close").addEventListener("click", () => this.dialog.close());
    // it is no modal dialog, so that one can look for the next job while reading of this one
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.dialog.close();
    });
  }

  async open(kind, id) {
    byId("details-title").textContent = `${kind} ${id}`;
    const body = byId("details-body");
    body.replaceChildren(element("p", { class: "quiet" }, "asking the router …"));
    if (!this.dialog.open) this.dialog.show();
    this.asked = `${kind} ${id}`;
    const path = `/ext/v1/${kind}s/${encodeURIComponent(id)}`;
    const [why, life] = await Promise.allSettled([read(`${path}:explain`), read(`${path}/history`)]);
    if ([why, life].some((outcome) => outcome.reason instanceof SignedOut)) {
      this.dialog.close();
      this.onSignedOut();
      return;
    }
    // a later question may have been answered first
    if (this.asked !== `${kind} ${id}`) return;
    const about = (kind_, id_) => this.link(kind_, id_);
    body.replaceChildren(
      ...section(kind === "job" ? "Why it is where it is" : "What it waits for", why, explanation),
      ...section("Its life", life, (value) => history(value, kind, about)),
    );
  }

  link(kind, id) {
    return element("button", { class: "link", type: "button", onclick: () => this.open(kind, id) }, id);
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

/** What has happened, newest first, whom it concerned, and how long each state lasted. */
function history(value, kind, link) {
  const rows = value.value.map((row) => {
    const { jobId, workerId, queueId } = row.event.data;
    const line = element(
      "li",
      {},
      element("time", { datetime: row.time, title: row.time }, clock(Date.parse(row.time))),
      ` ${row.type.replace("Router", "").replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase()} `,
    );
    if (workerId && kind !== "worker") line.append(link("worker", workerId), " ");
    if (jobId && kind !== "job") line.append(link("job", jobId), " ");
    if (queueId) line.append(element("span", { class: "quiet" }, `in ${queueId} `));
    if (row.state) line.append(element("span", { class: "quiet" }, `→ ${row.state}${lasted(row)}`));
    return line;
  });
  const cut = value.cut ? element("p", { class: "quiet" }, "What was before is not kept any more.") : null;
  return element("div", {}, element("ol", { class: "plain" }, ...rows), cut);
}

const lasted = ({ seconds }) => (seconds === undefined ? "" : ` for ${exact(1000 * seconds)}`);

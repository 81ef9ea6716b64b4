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

function explanation(value) {
  return element("pre", {}, JSON.stringify(value, null, 1));
}

function history(value) {
  return element("pre", {}, JSON.stringify(value, null, 1));
}

// The tables: queues, workers, open offers, events.
import { byId, element, Rows, setText } from "./dom.js";
import { clock, duration, minutes } from "./times.js";

const MOST_ROWS = 200;
const STATES = { active: "good", draining: "warn", inactive: "quiet" };

export class Panels {
  /** `explain(kind, id)` opens the details of a job or worker. */
  constructor(state, explain) {
    this.state = state;
    this.explain = explain;
    this.paused = false;
    this.queues = new Rows(byId("queue-rows"), () => this.makeQueue(), (row, queue) => this.updateQueue(row, queue));
    this.workers = new Rows(byId("worker-rows"), (w) => this.makeWorker(w), (row, w) => this.updateWorker(row, w));
    this.offers = new Rows(byId("offer-rows"), (o) => this.makeOffer(o), (row, o) => this.updateOffer(row, o));
    this.events = new Rows(byId("event-rows"), (event) => this.makeEvent(event), () => {});
  }

  show(now) {
    const { state } = this;
    const offers = state.openOffers(now);
    this.now = now;
    this.queues.show(state.queues.slice(0, MOST_ROWS), (queue) => queue.id);
    this.workers.show(state.workers.slice(0, MOST_ROWS), (worker) => worker.id);
    this.offers.show(offers.slice(0, MOST_ROWS), (offer) => offer.id);
    setText(byId("queues-note"), note(state.queues.length, state.moreQueues));
    setText(byId("workers-note"), note(state.workers.length, state.moreWorkers));
    setText(byId("offers-note"), note(offers.length, state.moreWorkers));
    setText(byId("events-note"), state.seen ? `${state.seen} seen` : "none seen yet");
    if (!this.paused) this.events.show(state.ticker, (event) => event.key);
    this.showTotals(offers);
  }

  showTotals(offers) {
    const { state } = this;
    const some = (more) => (more ? "+" : "");
    setText(byId("total-waiting"), `${state.waiting}${some(state.moreQueues)}`);
    setText(byId("total-longest"), state.longest < 0 ? "–" : minutes(state.longest));
    setText(byId("total-offers"), `${offers.length}${some(state.moreWorkers)}`);
    setText(byId("total-active"), `${state.active}${some(state.moreWorkers)}`);
    setText(byId("total-load"), `${Math.round(100 * state.load)} %`);
    const rate = state.rates.now;
    setText(byId("total-rate"), rate < 10 ? rate.toFixed(1) : Math.round(rate));
  }

  // ---- queues

  makeQueue() {
    const row = cells("Queue", "Waiting", "By priority", "Oldest", "Estimated wait", "Workers", "Matchable");
    row.priorities = new Rows(
      row.children[2],
      ({ priority }) => element("span", { class: "chip" }, element("b", {}, `${priority}: `), element("span")),
      (chip, { jobs }) => setText(chip.lastChild, jobs),
    );
    return row;
  }

  updateQueue(row, queue) {
    const [name, length, , oldest, wait, workers, matchable] = row.children;
    setText(name, queue.name && queue.name !== queue.id ? `${queue.name} (${queue.id})` : queue.id);
    setText(length, queue.length);
    row.priorities.show(queue.waiting.slice(0, 20), ({ priority }) => priority);
    const longest = queue.longestJobWaitTimeMinutes;
    setText(oldest, longest === undefined ? "–" : minutes(longest));
    const { activeWorkers: active } = queue;
    setText(wait, active === 0 ? "–" : minutes(queue.estimatedWaitTimeMinutes));
    setText(workers, active === undefined ? queue.workers : `${active} of ${queue.workers} active`);
    const { jobs, unmatchable } = queue.tested;
    setText(matchable, !jobs ? "–" : unmatchable ? `${unmatchable} of the first ${jobs} fit nobody` : "yes");
    matchable.className = !jobs ? "quiet" : unmatchable ? "bad" : "good";
  }

  // ---- workers

  makeWorker(worker) {
    const row = cells("", "State", "Load", "Holds", "For");
    row.children[0].append(this.link("worker", worker.id));
    row.children[1].append(element("span", { class: "badge" }));
    row.children[2].append(element("meter", { min: 0, max: 1 }), " ", element("span"));
    row.holds = new Rows(row.children[3], (item) => this.link("job", item.job), (link, item) => {
      link.title = item.title;
    });
    row.children[3].classList.add("holds");
    return row;
  }

  updateWorker(row, worker) {
    const [, state, load, , since] = row.children;
    setText(state.firstChild, worker.state);
    state.firstChild.className = `badge ${STATES[worker.state] ?? ""}`;
    const [bar, text] = load.querySelectorAll("meter, span");
    bar.value = Math.min(1, worker.loadRatio);
    bar.setAttribute("aria-label", `load of ${worker.id}`);
    setText(text, `${worker.usedCapacity} of ${worker.capacity}`);
    const held = [
      ...worker.offers.map((offer) => ({ job: offer.jobId, key: offer.offerId, title: "offered" })),
      ...worker.assignments.map((one) => ({ job: one.jobId, key: one.assignmentId, title: "assigned" })),
    ];
    row.holds.show(held.slice(0, 10), (item) => item.key);
    setText(since, worker.since ? duration(this.now - Date.parse(worker.since)) : "–");
  }

  // ---- offers

  makeOffer(offer) {
    const row = cells("", "Worker", "Queue", "Runs out in");
    row.children[0].append(this.link("job", offer.job));
    row.children[1].append(this.link("worker", offer.worker));
    setText(row.children[2], offer.queue);
    return row;
  }

  updateOffer(row, offer) {
    const left = offer.expires - this.now;
    const cell = row.children[3];
    setText(cell, duration(left));
    cell.className = left < 10_000 ? "number bad" : "number";
  }

  // ---- events

  makeEvent({ kind, at, data }) {
    const what = element("span", {}, sentence(kind));
    if (data.jobId) what.append(" ", this.link("job", data.jobId));
    if (data.workerId) what.append(" · ", this.link("worker", data.workerId));
    if (data.queueId) what.append(element("span", { class: "quiet" }, ` in ${data.queueId}`));
    return element("li", {}, element("time", { datetime: new Date(at).toISOString() }, clock(at)), what);
  }

  link(kind, id) {
    return element("button", { class: "link", type: "button", onclick: () => this.explain(kind, id) }, id);
  }
}

function cells(...names) {
  const numbers = new Set(["Waiting", "Oldest", "Estimated wait", "Workers", "For", "Runs out in"]);
  return element(
    "tr",
    {},
    ...names.map((name) => element("td", { "data-name": name || undefined, class: numbers.has(name) ? "number" : null })),
  );
}

const note = (count, more) => (count > MOST_ROWS || more ? `${Math.min(count, MOST_ROWS)} of many` : `${count}`);

/** JobWaitingForActivation → job waiting for activation */
const sentence = (kind) => kind.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();

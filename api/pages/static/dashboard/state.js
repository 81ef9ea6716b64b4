// What the page knows of the router: snapshots, moved on by events between two of them.

const ENDS_OFFER = new Set(["WorkerOfferAccepted", "WorkerOfferDeclined", "WorkerOfferExpired", "WorkerOfferRevoked"]);
const SECONDS = 300;
const TICKER = 60;

const SERIES = {
  received: ["JobReceived"],
  closed: ["JobClosed", "JobCancelled"],
  issued: ["WorkerOfferIssued"],
  accepted: ["WorkerOfferAccepted"],
  missed: ["WorkerOfferDeclined", "WorkerOfferExpired", "WorkerOfferRevoked"],
};

export class State {
  constructor() {
    this.queues = [];
    this.workers = [];
    this.moreQueues = this.moreWorkers = false;
    this.offers = new Map();
    this.ticker = [];
    this.seen = 0;
    this.changed = true;
    this.rates = new Rates();
  }

  takeQueues({ rows, more }) {
    this.queues = rows.sort((a, b) => b.length - a.length || (a.id < b.id ? -1 : 1));
    this.moreQueues = more;
    this.rates.waiting(this.waiting);
  }

  takeWorkers({ rows, more }) {
    this.workers = rows;
    this.moreWorkers = more;
    // those of workers that the page does not hold came by events, and stay until they end
    const shown = new Set(rows.map((worker) => worker.id));
    for (const [id, offer] of this.offers) {
      if (shown.has(offer.worker)) this.offers.delete(id);
    }
    for (const worker of rows) {
      for (const offer of worker.offers) {
        this.offers.set(offer.offerId, {
          id: offer.offerId,
          job: offer.jobId,
          worker: worker.id,
          queue: offer.queueId,
          expires: Date.parse(offer.expiresAt),
        });
      }
    }
  }

  takeEvents(events) {
    for (const event of events) {
      const { kind, data } = event;
      if (kind === "WorkerOfferIssued") {
        this.offers.set(data.offerId, {
          id: data.offerId,
          job: data.jobId,
          worker: data.workerId,
          queue: data.queueId,
          expires: Date.parse(data.expiresAt ?? data.expiresOn),
        });
      } else if (ENDS_OFFER.has(kind)) {
        this.offers.delete(data.offerId);
      }
      this.rates.count(event);
    }
    this.seen += events.length;
    this.changed = true;
    this.ticker = [...events.slice(-TICKER).reverse(), ...this.ticker].slice(0, TICKER);
  }

  /** Open offers, the next to run out first. */
  openOffers(now) {
    for (const [id, offer] of this.offers) {
      if (offer.expires <= now) this.offers.delete(id);
    }
    return [...this.offers.values()].sort((a, b) => a.expires - b.expires);
  }

  get waiting() {
    return this.queues.reduce((sum, queue) => sum + queue.length, 0);
  }

  get longest() {
    return Math.max(-1, ...this.queues.map((queue) => queue.longestJobWaitTimeMinutes ?? -1));
  }

  get active() {
    return this.workers.filter((worker) => worker.state === "active").length;
  }

  get load() {
    const all = this.workers.filter((worker) => worker.state === "active");
    const capacity = all.reduce((sum, worker) => sum + worker.capacity, 0);
    return capacity ? all.reduce((sum, worker) => sum + worker.usedCapacity, 0) / capacity : 0;
  }
}

/** Counts by second of the last minutes, in rings. */
class Rates {
  constructor() {
    this.start = second(Date.now());
    this.rings = {};
    for (const name of [...Object.keys(SERIES), "all", "waiting"]) this.rings[name] = new Map();
    this.names = new Map();
    for (const [name, kinds] of Object.entries(SERIES)) for (const kind of kinds) this.names.set(kind, name);
  }

  count({ kind, at }) {
    const when = Math.max(second(at), this.start);
    add(this.rings.all, when);
    const name = this.names.get(kind);
    if (name) add(this.rings[name], when);
  }

  waiting(jobs) {
    this.rings.waiting.set(second(Date.now()), jobs);
  }

  /** Times (epoch seconds) and the values of series over the last minutes; the second under way is left out. */
  table(...names) {
    const end = second(Date.now()) - 1;
    const times = Array.from({ length: SECONDS }, (_, i) => end - SECONDS + 1 + i);
    for (const ring of Object.values(this.rings)) {
      for (const when of ring.keys()) if (when < times[0] - 60) ring.delete(when);
    }
    return [times, ...names.map((name) => times.map((when) => this.value(name, when)))];
  }

  value(name, when) {
    if (when < this.start) return null;
    const found = this.rings[name].get(when);
    if (name !== "waiting") return found ?? 0;
    // what is known stays known until it is looked at again
    for (let back = when; back > when - 15; back -= 1) {
      if (this.rings.waiting.has(back)) return this.rings.waiting.get(back);
    }
    return null;
  }

  /** Events a second, over the last five whole ones. */
  get now() {
    const end = second(Date.now()) - 1;
    let sum = 0;
    for (let i = 0; i < 5; i += 1) sum += this.rings.all.get(end - i) ?? 0;
    return sum / 5;
  }
}

const second = (ms) => Math.floor(ms / 1000);
const add = (ring, when) => ring.set(when, (ring.get(when) ?? 0) + 1);

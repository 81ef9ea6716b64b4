// The event stream, handed on in batches: a thousand events a second make no thousand repaints.

const BATCH_MS = 250;
const AGAIN_MS = 2_000;
const PREFIX = "Router";

/** All events; a browser hears only those that it names. */
const KINDS = [
  "JobReceived",
  "JobClassified",
  "JobClassificationFailed",
  "JobQueued",
  "JobWaitingForActivation",
  "JobWorkerSelectorsExpired",
  "JobExceptionTriggered",
  "JobCompleted",
  "JobClosed",
  "JobCancelled",
  "JobUnassigned",
  "JobDeleted",
  "WorkerRegistered",
  "WorkerUpdated",
  "WorkerDeregistered",
  "WorkerDeleted",
  "WorkerOfferIssued",
  "WorkerOfferAccepted",
  "WorkerOfferDeclined",
  "WorkerOfferExpired",
  "WorkerOfferRevoked",
];

export class Feed {
  /** `onEvents(list)` gets batches, `onState(state)` live or lost. */
  constructor(onEvents, onState) {
    this.onEvents = onEvents;
    this.onState = onState;
    this.waiting = [];
    this.timer = 0;
  }

  open() {
    this.source = new EventSource("/ext/v1/events/stream");
    this.source.onopen = () => this.onState("live");
    this.source.onerror = () => this.lost();
    for (const kind of KINDS) this.source.addEventListener(PREFIX + kind, (message) => this.take(kind, message));
  }

  // a browser connects again by itself, but gives up on an answer that is not 200
  lost() {
    this.onState("lost");
    if (this.source.readyState === EventSource.CLOSED) {
      clearTimeout(this.again);
      this.again = setTimeout(() => this.open(), AGAIN_MS);
    }
  }

  close() {
    clearTimeout(this.again);
    this.source?.close();
    clearTimeout(this.timer);
    this.timer = 0;
    this.waiting = [];
  }

  take(kind, message) {
    const event = JSON.parse(message.data);
    this.waiting.push({ key: message.lastEventId, kind, at: Date.parse(event.eventTime), data: event.data });
    this.timer ||= setTimeout(() => {
      this.timer = 0;
      this.onEvents(this.waiting.splice(0));
    }, BATCH_MS);
  }
}

// The event stream, handed on in batches: a thousand events a second make no thousand repaints.

const BATCH_MS = 250;
const PREFIX = "Microsoft.Communication.Router";

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
    this.source.onerror = () => this.onState("lost");
    this.source.onmessage = (message) => this.take(message);
  }

  close() {
    this.source?.close();
    clearTimeout(this.timer);
    this.timer = 0;
    this.waiting = [];
  }

  take(message) {
    const event = JSON.parse(message.data);
    this.waiting.push({
      key: message.lastEventId,
      kind: event.eventType.replace(PREFIX, ""),
      at: Date.parse(event.eventTime),
      data: event.data,
    });
    this.timer ||= setTimeout(() => {
      this.timer = 0;
      this.onEvents(this.waiting.splice(0));
    }, BATCH_MS);
  }
}

// Small charts of the last five minutes.
/* global uPlot */
import { byId } from "./dom.js";

const HEIGHT = 120;

class Chart {
  constructor(id, series) {
    this.parent = byId(id);
    this.series = series;
    this.draw();
    new ResizeObserver(() => this.plot.setSize({ width: this.width, height: HEIGHT })).observe(this.parent);
  }

  get width() {
    return Math.max(160, this.parent.clientWidth);
  }

  draw() {
    this.plot?.destroy();
    const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const probe = document.createElement("span");
    document.body.append(probe);
    // light-dark() is only resolved where it is used
    const resolved = (name) => {
      probe.style.color = color(name);
      return getComputedStyle(probe).color;
    };
    const time = (_, values) => values.map((when) => new Date(1000 * when).toTimeString().slice(0, 5));
    const axis = { stroke: resolved("--quiet"), grid: { stroke: resolved("--line"), width: 1 }, ticks: { show: false } };
    this.plot = new uPlot(
      {
        width: this.width,
        height: HEIGHT,
        cursor: { show: false },
        legend: { live: false },
        scales: { y: { range: (_, least, most) => [0, Math.max(1, most * 1.1)] } },
        axes: [{ ...axis, values: time, size: 26 }, { ...axis, size: 46 }],
        series: [
          {},
          ...this.series.map(({ label, color: name }) => ({
            label,
            stroke: resolved(name),
            width: 1.5,
            points: { show: false },
          })),
        ],
      },
      [[], ...this.series.map(() => [])],
      this.parent,
    );
    probe.remove();
  }
}

export class Charts {
  constructor(rates) {
    this.rates = rates;
    this.jobs = new Chart("chart-jobs", [
      { label: "received", color: "--accent" },
      { label: "closed", color: "--good" },
    ]);
    this.offers = new Chart("chart-offers", [
      { label: "issued", color: "--accent" },
      { label: "accepted", color: "--good" },
      { label: "declined, expired, revoked", color: "--bad" },
    ]);
    this.waiting = new Chart("chart-waiting", [{ label: "waiting", color: "--warn" }]);
  }

  show() {
    this.jobs.plot.setData(this.rates.table("received", "closed"));
    this.offers.plot.setData(this.rates.table("issued", "accepted", "missed"));
    this.waiting.plot.setData(this.rates.table("waiting"));
  }

  /** The colours have changed. */
  redraw() {
    for (const chart of [this.jobs, this.offers, this.waiting]) chart.draw();
    this.show();
  }
}

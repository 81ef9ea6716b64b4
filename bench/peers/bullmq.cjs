// Drives BullMQ as it documents: one queue, one worker, ioredis; the argument is the socket of the server.
"use strict";

const readline = require("node:readline");
const { Queue, Worker } = require("bullmq");

const AT_ONCE = 100;
const connection = { path: process.argv[2], maxRetriesPerRequest: null };
const queue = new Queue("bench", { connection, defaultJobOptions: { removeOnComplete: true } });
let worker;

async function start() {
  worker = new Worker("bench", async () => {}, { connection, concurrency: AT_ONCE });
  await worker.waitUntilReady();
  return "started";
}

async function run({ jobs, body }) {
  let left = jobs;
  const ended = new Promise((resolve, reject) => {
    worker.on("completed", () => --left || resolve());
    worker.on("failed", (job, error) => reject(error));
    worker.on("error", reject);
  });
  let added = 0;
  const add = async () => {
    while (added < jobs) {
      added += 1;
      await queue.add("job", body);
    }
  };
  await Promise.all([ended, ...Array.from({ length: AT_ONCE }, add)]);
  return "done";
}

async function stop() {
  await worker.close();
  return "stopped";
}

async function main() {
  await queue.waitUntilReady();
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const answer = line === "start" ? start() : line === "stop" ? stop() : run(JSON.parse(line));
    process.stdout.write(`${await answer}\n`);
  }
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);

// The stock knows how many pieces are left, and reserves them. It logs with winston.
"use strict";
const http = require("node:http");
const { randomUUID } = require("node:crypto");
const { json } = require("node:stream/consumers");
const winston = require("winston");

const log = winston.createLogger({
  format: winston.format.combine(winston.format.timestamp(), winston.format.json()),
  defaultMeta: { service: "stock", component: "reservations" },
  transports: [new winston.transports.Console()],
});
const left = { apple: 10, pear: 0 };

async function reserve(request, response) {
  const job = log.child({
    correlationId: request.headers["x-correlation-id"] ?? randomUUID(),
    jobId: randomUUID(),
    parentJobId: request.headers["x-parent-job-id"],
  });
  const { item, pieces } = await json(request);
  if ((left[item] ?? 0) < pieces) {
    job.warn("goods are sold out", { item, errorCode: "SOLD_OUT" });
    response.writeHead(409).end();
    return;
  }
  left[item] -= pieces;
  job.info("goods reserved", { item, pieces });
  response.writeHead(201).end();
}

const server = http.createServer((request, response) => {
  reserve(request, response).catch((err) => {
    log.error("reservation failed", { stack: err.stack });
    response.writeHead(500).end();
  });
});
server.listen(Number(process.env.PORT ?? 8081), "127.0.0.1", () => {
  log.info("listening", { port: server.address().port });
});

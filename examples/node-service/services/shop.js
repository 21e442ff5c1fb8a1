// The shop takes orders and has the stock reserve the goods. It logs with pino.
"use strict";
const http = require("node:http");
const { randomUUID } = require("node:crypto");
const { json } = require("node:stream/consumers");
const pino = require("pino");

const log = pino({ name: "orders" });

async function order(request, response) {
  const correlationId = request.headers["x-correlation-id"] ?? randomUUID();
  const jobId = randomUUID();
  const job = log.child({ correlationId, jobId });
  response.setHeader("x-correlation-id", correlationId);

  const { item, pieces } = await json(request);
  job.info({ item, pieces }, "order received");
  const reserved = await fetch(`${process.env.STOCK_URL}/reservations`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-correlation-id": correlationId,
      "x-parent-job-id": jobId,
    },
    body: JSON.stringify({ item, pieces }),
  });
  if (reserved.ok) {
    job.info({ item, pieces }, "order confirmed");
    response.writeHead(201).end();
  } else {
    job.warn({ item, pieces, errorCode: "SOLD_OUT" }, "order refused: sold out");
    response.writeHead(409).end();
  }
}

const server = http.createServer((request, response) => {
  order(request, response).catch((err) => {
    log.error({ err }, "order failed");
    response.writeHead(500).end();
  });
});
server.listen(Number(process.env.PORT ?? 8080), "127.0.0.1", () => {
  log.info({ port: server.address().port }, "listening");
});

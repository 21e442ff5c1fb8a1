// What both services in Node share: a logger, a job of its own for each request, and lines that
// name the one before them, so that a story's order rests on causes and not on clocks.
"use strict";
const http = require("node:http");
const { randomUUID } = require("node:crypto");
const { json } = require("node:stream/consumers");
const pino = require("pino");

module.exports = function serve(name, routes) {
  const log = pino({ name });

  async function answer(request, response) {
    const correlationId = request.headers["x-correlation-id"] ?? randomUUID();
    const parentJobId = request.headers["x-parent-job-id"];
    const job = log.child({ correlationId, jobId: randomUUID(), parentJobId });
    let latest = request.headers["x-narration-cause"];
    const say = (level, fields, message) => {
      const links = { event_id: randomUUID(), cause: latest && [latest] };
      job[level]({ ...fields, ...links }, message);
      latest = links.event_id;
    };
    const route = routes[`${request.method} ${request.url}`];
    const status = route ? route(say, await json(request)) : 404;
    response.setHeader("x-correlation-id", correlationId);
    if (latest) response.setHeader("x-narration-cause", latest);
    response.writeHead(status).end();
  }

  const server = http.createServer((request, response) => {
    answer(request, response).catch((err) => {
      log.error({ err }, "request failed");
      response.writeHead(500).end();
    });
  });
  server.listen(Number(process.env.PORT), "127.0.0.1", () => {
    log.info({ port: server.address().port }, "listening");
  });
};

// The stock: knows how many copies there are, and keeps those that were reserved.
"use strict";
const serve = require("./service");

const copiesOf = { "Moby-Dick": 100, Emma: 0 };

serve("shelves", {
  "POST /reservations": (say, { book, copies }) => {
    if ((copiesOf[book] ?? 0) < copies) {
      say("warn", { book, copies, errorCode: "SOLD_OUT" }, "reservation refused");
      return 409;
    }
    copiesOf[book] -= copies;
    say("info", { book, copies }, "copies reserved");
    return 201;
  },
  "DELETE /reservations": (say, { book, copies }) => {
    copiesOf[book] += copies;
    say("info", { book, copies }, "copies put back");
    return 204;
  },
});

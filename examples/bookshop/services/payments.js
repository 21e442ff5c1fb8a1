// Payments: charges cards, all but those that end in 0. A card's number is never logged whole.
"use strict";
const serve = require("./service");

serve("cashier", {
  "POST /payments": (say, { card }) => {
    const endsIn = card.slice(-4);
    if (card.endsWith("0")) {
      say("warn", { endsIn, errorCode: "CARD_REFUSED" }, "payment refused");
      return 402;
    }
    say("info", { endsIn }, "payment taken");
    return 201;
  },
});

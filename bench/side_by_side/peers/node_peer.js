// Node's socket.io: answers as conversation.py does. `npm install` here brings it.
const http = require("http").createServer();
const server = new (require("socket.io").Server)(http);
const RUN = "r".repeat(216);
const now = () => Number(process.hrtime.bigint()) / 1e9; // Python's time.monotonic()
const sleep = (seconds) => new Promise((done) => setTimeout(done, seconds * 1e3));
const breathe = () => new Promise((done) => setImmediate(done));
async function waitDue(moment) {
  const left = moment - now();
  if (left > 0) await sleep(left);
}
let open;
const gate = new Promise((done) => (open = done));

server.on("connection", (socket) => {
  let acked = 0, news = () => {};
  const emit = (offset, kind, data) =>
    socket.emit("frame", { type: "events", epoch: "none", events: [{ offset, kind, data, run: RUN }] });

  async function answer(order) {
    emit(1, "agent_started", {});
    const begin = order.begin + (order.gated ? await gate : 0);
    for (let number = 0; number < order.events; number++) {
      await waitDue(begin + number * order.every);
      emit(number + 2, "partial_result", { text: String(process.hrtime.bigint()).padEnd(order.size) });
      if (number % order.burst == 0) await breathe();
    }
    await waitDue(begin + Math.floor(order.events / order.burst) * order.every + order.rest);
    while (order.acked && acked <= order.events) await new Promise((done) => (news = done));
    if (!order.stays) emit(order.events + 2, "agent_completed", { outcome: "ok" });
  }

  socket.on("frame", (frame) => {
    if (frame.type == "hello") socket.emit("frame", { type: "ready", session: "s".repeat(31), epoch: "none" });
    else if (frame.type == "say") frame.body.opens ? open(frame.body.begin) : answer(frame.body);
    else if (frame.type == "ack") { acked = frame.offset; news(); }
  });
});
http.listen(0, "127.0.0.1", 2048, () => console.log(`http://127.0.0.1:${http.address().port}/`));

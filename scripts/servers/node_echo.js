// Echo on Node's net. Usage: node node_echo.js PORT
// allowHalfOpen: a client that has sent its last byte still gets the rest of the echo. pipe() is the
// back-pressure: nothing is read that waits to be sent. What check still finds is Node's own: read
// buffers are garbage until it is collected (slow-reader, fd-and-memory-soak), and out of descriptors
// libuv accepts and drops (accept-emfile).
const net = require("node:net");

const sockets = new Set();
const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  sockets.add(socket);
  socket.on("close", () => sockets.delete(socket));
  socket.on("error", () => socket.destroy());
  socket.pipe(socket);
});
server.listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 });

// What the queues held when the signal came is read in this turn of the loop; then FIN.
process.on("SIGTERM", () => {
  server.close();
  setImmediate(() => sockets.forEach((socket) => socket.end()));
  setTimeout(() => process.exit(0), 900).unref(); // whatever peers do not read
});

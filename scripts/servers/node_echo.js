// Echo on Node's net. Usage: node node_echo.js PORT
// allowHalfOpen: a client that has sent its last byte still gets the rest of the echo.
const net = require("node:net");

const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  socket.on("error", () => socket.destroy());
  socket.pipe(socket);
});
server.listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 });
process.on("SIGTERM", () => process.exit(0));

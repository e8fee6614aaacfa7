// Echo on Go's net, a goroutine per connection (Debian: golang-go). Usage: go_echo PORT
// `make servers` builds it where there is a Go. Plain read and write: io.Copy between sockets would
// be splice(2) here, with a pipe, so three descriptors, per busy connection.
package main

import (
	"errors"
	"io"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

var connections sync.Map
var running sync.WaitGroup

func echo(connection *net.TCPConn) {
	io.CopyBuffer(struct{ io.Writer }{connection}, struct{ io.Reader }{connection}, make([]byte, 16384))
	connections.Delete(connection)
	connection.Close() // answers the peer's FIN
	running.Done()
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		println(err.Error())
		os.Exit(1)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		<-stop
		listener.Close()
		time.AfterFunc(900*time.Millisecond, func() { os.Exit(0) }) // whatever peers do not read
	}()
	for {
		connection, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			break
		} else if err != nil { // out of descriptors, perhaps: do not spin
			time.Sleep(50 * time.Millisecond)
			continue
		}
		running.Add(1)
		connections.Store(connection, nil)
		go echo(connection.(*net.TCPConn))
	}
	connections.Range(func(each, _ any) bool { // what their queues hold is echoed, then FIN
		each.(*net.TCPConn).CloseRead()
		return true
	})
	running.Wait()
}

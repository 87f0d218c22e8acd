package relay

import (
	"io"
	"net"
	"testing"
)

func TestTheRelayPassesBothWaysAndTheEnd(t *testing.T) {
	echo, front := listen(t), listen(t)
	go func() {
		connection, err := echo.Accept()
		if err != nil {
			return
		}
		defer connection.Close()
		io.Copy(connection, connection)
	}()
	go serve(front, echo.Addr().String())

	connection, err := net.Dial("tcp", front.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	io.WriteString(connection, "hello")
	connection.(*net.TCPConn).CloseWrite()
	if got, err := io.ReadAll(connection); err != nil || string(got) != "hello" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener
}

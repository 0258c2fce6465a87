// Drives smallstep's own client package for Go against a CA, and prints what it saw.
//
// Usage: client URL FOLDER, where FOLDER is the CA's and $STEPPATH an empty one. Whatever differs from run to run is left
// out of the transcript, so that any two CAs with the same configuration have to give the same one.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/smallstep/certificates/ca"
	"github.com/smallstep/certificates/errs"
)

// How long something may take to happen.
const patience = 30 * time.Second

type session struct {
	url      string
	folder   string
	password []byte
	root     string
	sum      string
	client   *ca.Client
}

func main() {
	s := session{url: os.Args[1], folder: os.Args[2]}
	s.password = []byte(strings.TrimSpace(string(must(os.ReadFile(s.file("secrets/password.txt"))))))
	s.root = s.file("certs/root_ca.crt")
	block, _ := pem.Decode(must(os.ReadFile(s.root)))
	sum := sha256.Sum256(block.Bytes)
	s.sum = hex.EncodeToString(sum[:])
	s.client = must(ca.NewClient(s.url, ca.WithRootFile(s.root)))

	// Renewals take some seconds, in which the rest is done.
	renewed := make(chan []string)
	go func() { renewed <- s.automaticRenewal() }()
	s.read()
	s.list()
	s.sign()
	s.renew()
	s.expired()
	s.revoke()
	s.refusals()
	s.identity()
	for _, line := range <-renewed {
		say("automatic renewal", "%s", line)
	}
}

func (s *session) file(name string) string { return filepath.Join(s.folder, name) }

// A client of the CA on behalf of a provisioner, whose key it has from the CA.
func (s *session) provisioner(name string) *ca.Provisioner {
	return must(ca.NewProvisioner(name, "", s.url, s.password, ca.WithRootFile(s.root)))
}

// A token to sign with.
func (s *session) token(provisioner, subject string, names ...string) string {
	return must(s.provisioner(provisioner).Token(subject, names...))
}

func say(topic, format string, values ...any) {
	fmt.Printf("%s: %s\n", topic, fmt.Sprintf(format, values...))
}

// What differs from run to run: times, numbers, hashes, this machine's ports.
var varying = regexp.MustCompile(
	`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d( \+0000 UTC|Z)?|\b\d{20,}\b|\b[0-9a-f]{64}\b|localhost:\d+`)

// What a caller can tell from an error: its type, its status, its text.
func sayError(topic string, err error) {
	if err == nil {
		say(topic, "no error")
		return
	}
	text := varying.ReplaceAllString(err.Error(), "…")
	var typed *errs.Error
	if errors.As(err, &typed) {
		request := "with a request id"
		if typed.RequestID == "" {
			request = "without a request id"
		}
		say(topic, "%d %s, %s: %s", typed.StatusCode(), http.StatusText(typed.StatusCode()), request, text)
		return
	}
	say(topic, "%s", text)
}

// A condition that others bring about.
func wait(what string, done func() bool) {
	for begun := time.Now(); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Since(begun) > patience {
			panic("waited in vain: " + what)
		}
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

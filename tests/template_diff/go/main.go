// Renders templates with the packages that step-ca 0.30.2 renders certificate templates with.
//
// Reads lines {"template": text, "data": any JSON} and answers each with {"output": base64} or {"stage", "error"}.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"text/template"

	"go.step.sm/crypto/x509util"
)

// A loop that counts to a claim ends here.
const longestOutput = 1 << 20

type request struct {
	Template string `json:"template"`
	Data     any    `json:"data"`
}

type answer struct {
	Output []byte `json:"output"`
	Stage  string `json:"stage,omitempty"`
	Error  string `json:"error,omitempty"`
}

type boundedBuffer struct{ bytes.Buffer }

func (b *boundedBuffer) Write(p []byte) (int, error) {
	if b.Len()+len(p) > longestOutput {
		return 0, errors.New("too much output")
	}
	return b.Buffer.Write(p)
}

func render(r request) (a answer) {
	a.Stage = "parse"
	defer func() {
		if why := recover(); why != nil {
			a = answer{Stage: a.Stage, Error: fmt.Sprint("panic: ", why)}
		}
	}()
	t, err := template.New("template").Funcs(x509util.GetFuncMap()).Parse(r.Template)
	if err != nil {
		return answer{Stage: a.Stage, Error: err.Error()}
	}
	a.Stage = "exec"
	var output boundedBuffer
	if err := t.Execute(&output, r.Data); err != nil {
		return answer{Stage: a.Stage, Error: err.Error()}
	}
	return answer{Output: output.Bytes()}
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 16<<20)
	out := bufio.NewWriter(os.Stdout)
	answers := json.NewEncoder(out)
	for in.Scan() {
		var r request
		if err := json.Unmarshal(in.Bytes(), &r); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if err := answers.Encode(render(r)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if err := errors.Join(in.Err(), out.Flush()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

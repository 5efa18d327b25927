package runtimetest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// InvokeTimeout is how long a function is told that it may work on one event.
const InvokeTimeout = 30 * time.Second

// patience is how long a test waits for a function: ample, because the machine may be busy.
const patience = 5 * time.Minute

// Answer is what a function made of an event.
type Answer struct {
	Payload []byte // the response; with Failed, the runtime's description of the error
	Failed  bool   // the function reported an error instead of a response

	// Of a response that is streamed (content type application/vnd.awslambda.http-integration-response):
	Prelude []byte    // its status and headers, as JSON
	Body    io.Reader // what follows, as it comes; Payload is empty
}

// streamedType is the content type of a streamed response: a prelude in JSON,
// eight NUL bytes and the body.
const streamedType = "application/vnd.awslambda.http-integration-response"

const preludeEnd = "\x00\x00\x00\x00\x00\x00\x00\x00"

// runtimeAPI is the server side of the runtime API: it hands out one invocation
// at a time.
type runtimeAPI struct {
	addr        string
	server      *http.Server
	invocations chan *invocation
	initErrors  chan []byte
	count       atomic.Int64
	pending     atomic.Pointer[invocation] // handed out, not answered yet
	extended    atomic.Bool                // the process has registered as an extension
}

type invocation struct {
	id      string
	payload []byte
	limit   time.Duration // that the function is given
	trace   string        // header X-Amzn-Trace-Id
	answer  chan Answer
}

// apiVersion begins every path.
const apiVersion = "/2018-06-01/runtime"

// extensionVersion begins those of the extensions API (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html).
const extensionVersion = "/2020-01-01/extension"

func newRuntimeAPI() (*runtimeAPI, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("runtime API: %w", err)
	}
	api := &runtimeAPI{
		addr:        listener.Addr().String(),
		invocations: make(chan *invocation),
		initErrors:  make(chan []byte, 1),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+apiVersion+"/invocation/next", api.next)
	mux.HandleFunc("POST "+apiVersion+"/invocation/{id}/response", func(w http.ResponseWriter, r *http.Request) { api.done(w, r, false) })
	mux.HandleFunc("POST "+apiVersion+"/invocation/{id}/error", func(w http.ResponseWriter, r *http.Request) { api.done(w, r, true) })
	mux.HandleFunc("POST "+apiVersion+"/init/error", api.initError)
	mux.HandleFunc("POST "+extensionVersion+"/register", api.register)
	mux.HandleFunc("GET "+extensionVersion+"/event/next", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	api.server = &http.Server{Handler: mux}
	go api.server.Serve(listener)
	return api, nil
}

func (api *runtimeAPI) close() { api.server.Close() }

// next blocks until there is an invocation, as Lambda's does.
func (api *runtimeAPI) next(w http.ResponseWriter, r *http.Request) {
	select {
	case inv := <-api.invocations:
		api.pending.Store(inv)
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(inv.limit).UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:123456789012:function:test")
		h.Set("Lambda-Runtime-Trace-Id", inv.trace)
		w.Write(inv.payload)
	case <-r.Context().Done():
	}
}

func (api *runtimeAPI) done(w http.ResponseWriter, r *http.Request, failed bool) {
	inv := api.pending.Load()
	if inv == nil || inv.id != r.PathValue("id") || !api.pending.CompareAndSwap(inv, nil) {
		http.Error(w, `{"errorType":"InvalidRequestID"}`, http.StatusBadRequest)
		return
	}
	if r.Header.Get("Content-Type") == streamedType {
		if err := streamed(r.Body, inv); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusAccepted)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	inv.answer <- Answer{Payload: body, Failed: failed}
}

// streamed answers an invocation as soon as the prelude has come, and returns when all has.
func streamed(response io.Reader, inv *invocation) error {
	in := bufio.NewReader(response)
	var prelude []byte
	for !bytes.HasSuffix(prelude, []byte(preludeEnd)) {
		b, err := in.ReadByte()
		if err != nil {
			return fmt.Errorf("a streamed response without prelude: %w", err)
		}
		prelude = append(prelude, b)
	}
	body, out := io.Pipe()
	inv.answer <- Answer{Prelude: prelude[:len(prelude)-len(preludeEnd)], Body: body}
	_, err := io.Copy(out, in)
	out.CloseWithError(err)
	return err
}

// register registers the process as an extension of itself, for no events. Lambda then announces its end.
func (api *runtimeAPI) register(w http.ResponseWriter, r *http.Request) {
	api.extended.Store(true)
	w.Header().Set("Lambda-Extension-Identifier", "00000000-0000-4000-8000-00000000e7e7")
}

func (api *runtimeAPI) initError(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	select {
	case api.initErrors <- body:
	default:
	}
	w.WriteHeader(http.StatusAccepted)
}

// invoke hands an event to the function and waits for the answer. It gives up
// when the process ends or time runs out.
func (api *runtimeAPI) invoke(event []byte, limit time.Duration, trace string, exited <-chan struct{}) (Answer, error) {
	inv := &invocation{
		id:      fmt.Sprintf("00000000-0000-4000-8000-%012d", api.count.Add(1)),
		payload: event,
		limit:   limit,
		trace:   trace,
		answer:  make(chan Answer, 1),
	}
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case api.invocations <- inv:
	case body := <-api.initErrors:
		return Answer{}, fmt.Errorf("the function failed to initialise: %s", body)
	case <-exited:
		return Answer{}, fmt.Errorf("the function ended before it took the event")
	case <-timeout.C:
		return Answer{}, fmt.Errorf("the function did not ask for an event within %v", patience)
	}
	select {
	case answer := <-inv.answer:
		return answer, nil
	case <-exited:
		return Answer{}, fmt.Errorf("the function ended before it answered")
	case <-timeout.C:
		return Answer{}, fmt.Errorf("the function did not answer within %v", patience)
	}
}

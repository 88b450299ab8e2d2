package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Result is what came of a Run.
type Result struct {
	Config    Config
	Protected string // what was agreed on: "signed AES-128-GMAC"
	Dialect   string
	Connect   Connect

	Seconds      float64 // measured
	Ops, Bytes   int64
	Latency      Latency
	Fair         Fairness
	Errors       int64
	ErrorSamples []string
}

// Connect is how the clients came to be: TCP connection, NEGOTIATE, log in, TREE_CONNECT.
type Connect struct {
	Seconds float64 // all clients together
	Latency Latency // of one
}

// Latency is a distribution.
type Latency struct {
	Min, Mean, P50, P90, P95, P99, P999, Max time.Duration
}

// Fairness is how the operations were shared out among clients.
type Fairness struct {
	Least, Median, Most int64 // operations of a client
	// Jain's index: 1 if all got the same, 1/n if one got everything.
	Jain float64
}

// latencyOf reads a histogram.
func latencyOf(h *hdrhistogram.Histogram) Latency {
	if h.TotalCount() == 0 {
		return Latency{}
	}
	q := h.ValueAtQuantile
	return Latency{Min: time.Duration(h.Min()), Mean: time.Duration(h.Mean()), P50: time.Duration(q(50)), P90: time.Duration(q(90)),
		P95: time.Duration(q(95)), P99: time.Duration(q(99)), P999: time.Duration(q(99.9)), Max: time.Duration(h.Max())}
}

// fill takes over what the clients have done.
func (res *Result) fill(r *run, took time.Duration) {
	res.Seconds = took.Seconds()
	ops := make([]int64, len(r.tallies))
	var sum, squares float64
	for i := range r.tallies {
		ops[i] = r.tallies[i].ops.Load()
		res.Ops += ops[i]
		res.Bytes += r.tallies[i].bytes.Load()
		sum += float64(ops[i])
		squares += float64(ops[i]) * float64(ops[i])
	}
	slices.Sort(ops)
	res.Fair = Fairness{Least: ops[0], Median: ops[len(ops)/2], Most: ops[len(ops)-1]}
	if squares > 0 {
		res.Fair.Jain = sum * sum / (float64(len(ops)) * squares)
	}
	res.Latency = latencyOf(merged(r.latency))
}

// OpsPerSecond is the rate of operations.
func (res *Result) OpsPerSecond() float64 { return res.rate(float64(res.Ops)) }

// MiBPerSecond is the throughput of payload.
func (res *Result) MiBPerSecond() float64 { return res.rate(float64(res.Bytes) / (1 << 20)) }

func (res *Result) rate(n float64) float64 {
	if res.Seconds <= 0 {
		return 0
	}
	return n / res.Seconds
}

// Print writes the result for people.
func (res *Result) Print(w io.Writer) error {
	c := res.Config
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(tw, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("workload", "%s: %s", c.Workload, Workloads[c.Workload].Help)
	row("clients", "%d, each with %d in flight, SMB %s, %s, engine %s", c.Clients, c.Depth, res.Dialect, res.Protected, c.Engine)
	row("logged in", "%.1f a second; each took %v", float64(c.Clients)/res.Connect.Seconds, res.Connect.Latency)
	if c.Workload != idle {
		row("operations", "%.0f/s (%d in %.1f s)", res.OpsPerSecond(), res.Ops, res.Seconds)
	}
	if res.Bytes > 0 {
		row("throughput", "%.1f MiB/s (blocks of %d bytes)", res.MiBPerSecond(), c.Block)
	}
	row("latency", "%v", res.Latency)
	if c.Clients > 1 && c.Workload != idle {
		row("per client", "%d to %d operations, median %d, fairness %.3f", res.Fair.Least, res.Fair.Most, res.Fair.Median, res.Fair.Jain)
	}
	row("errors", "%d", res.Errors)
	for _, s := range res.ErrorSamples {
		row("", "%s", s)
	}
	return tw.Flush()
}

// String is for people.
func (l Latency) String() string {
	return fmt.Sprintf("p50 %v, p90 %v, p99 %v, p99.9 %v, max %v", short(l.P50), short(l.P90), short(l.P99), short(l.P999), short(l.Max))
}

// short rounds to three digits.
func short(d time.Duration) time.Duration {
	unit := time.Nanosecond
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit)
}

// MarshalJSON gives latencies in microseconds.
func (l Latency) MarshalJSON() ([]byte, error) {
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
	return json.Marshal(map[string]float64{"min": us(l.Min), "mean": us(l.Mean), "p50": us(l.P50), "p90": us(l.P90),
		"p95": us(l.P95), "p99": us(l.P99), "p99_9": us(l.P999), "max": us(l.Max)})
}

// MarshalJSON is what --json prints: names and units stay as they are.
func (res *Result) MarshalJSON() ([]byte, error) {
	c := res.Config
	return json.Marshal(struct {
		Server        string   `json:"server"`
		Share         string   `json:"share"`
		Workload      string   `json:"workload"`
		Engine        Engine   `json:"engine"`
		Protection    string   `json:"protection"`
		Dialect       string   `json:"dialect"`
		Clients       int      `json:"clients"`
		Depth         int      `json:"depth"`
		Block         int      `json:"block_bytes"`
		FileSize      int64    `json:"file_bytes"`
		ConnectTime   float64  `json:"connect_seconds"`
		ConnectLat    Latency  `json:"connect_latency_us"`
		Seconds       float64  `json:"seconds"`
		Ops           int64    `json:"operations"`
		Bytes         int64    `json:"bytes"`
		OpsPerSecond  float64  `json:"operations_per_second"`
		MiBPerSecond  float64  `json:"mib_per_second"`
		Latency       Latency  `json:"latency_us"`
		Least         int64    `json:"client_least"`
		Median        int64    `json:"client_median"`
		Most          int64    `json:"client_most"`
		FairnessIndex float64  `json:"fairness_jain"`
		Errors        int64    `json:"errors"`
		Samples       []string `json:"error_samples,omitempty"`
	}{c.Address, c.Share, c.Workload, c.Engine, res.Protected, res.Dialect, c.Clients, c.Depth, c.Block, c.FileSize,
		res.Connect.Seconds, res.Connect.Latency, res.Seconds, res.Ops, res.Bytes, res.OpsPerSecond(), res.MiBPerSecond(),
		res.Latency, res.Fair.Least, res.Fair.Median, res.Fair.Most, res.Fair.Jain, res.Errors, res.ErrorSamples})
}

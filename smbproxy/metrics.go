package main

import (
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// metrics is what Prometheus sees. Everything is kept whether or not somebody asks: a request
// costs one map look-up and two atomic additions.
type metrics struct {
	registry *prometheus.Registry

	requests   *prometheus.CounterVec
	durations  [19]prometheus.Observer // by command
	unknown    prometheus.Observer
	reloadGood prometheus.Gauge
	reloadTime prometheus.Gauge

	counters atomic.Pointer[map[requestKey]prometheus.Counter] // copied when a new key is seen
	mu       sync.Mutex                                        // held by who replaces counters
}

// requestKey is one combination of labels of smbproxy_requests_total.
type requestKey struct {
	command smb2.Command
	status  ntstatus.Status
	fault   string
}

// maxRequestKeys bounds the number of time series: statuses come from backends, fault from us,
// and a backend gone mad must not fill the memory. What is beyond is counted as "other".
const maxRequestKeys = 4096

func newMetrics() *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	m.requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "smbproxy_requests_total", Help: "Requests that have ended, by command, status, and whose fault it was (client, proxy, backend; empty: nobody's).",
	}, []string{"command", "status", "fault"})
	durations := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "smbproxy_request_seconds", Help: "Time from a request's arrival to its final reply.",
		Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60},
	}, []string{"command"})
	for i := range m.durations {
		m.durations[i] = durations.WithLabelValues(smb2.Command(i).String())
	}
	m.unknown = durations.WithLabelValues("unknown")
	m.reloadGood = prometheus.NewGauge(prometheus.GaugeOpts{Name: "smbproxy_config_last_reload_successful", Help: "1: the configuration on disk, when last read, was put in force; 0: it had faults and the one before it stays."})
	m.reloadTime = prometheus.NewGauge(prometheus.GaugeOpts{Name: "smbproxy_config_last_reload_success_timestamp_seconds", Help: "When the configuration in force was read."})
	info := prometheus.NewGauge(prometheus.GaugeOpts{Name: "smbproxy_build_info", Help: "1, with the version as label.", ConstLabels: prometheus.Labels{"version": versionString()}})
	info.Set(1)
	m.registry.MustRegister(m.requests, durations, m.reloadGood, m.reloadTime, info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.counters.Store(&map[requestKey]prometheus.Counter{})
	return m
}

// observe is session's Observer: called once for every request, it never waits.
func (m *metrics) observe(cmd smb2.Command, st ntstatus.Status, fault string, d time.Duration) {
	m.counter(requestKey{cmd, st, fault}).Inc()
	if int(cmd) < len(m.durations) {
		m.durations[cmd].Observe(d.Seconds())
	} else {
		m.unknown.Observe(d.Seconds())
	}
}

// counter finds the counter of a key without allocating, once it has been seen.
func (m *metrics) counter(k requestKey) prometheus.Counter {
	if c, ok := (*m.counters.Load())[k]; ok {
		return c
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	old := *m.counters.Load()
	if c, ok := old[k]; ok {
		return c
	}
	if len(old) >= maxRequestKeys {
		return m.requests.WithLabelValues("other", "other", "other")
	}
	c := m.requests.WithLabelValues(k.command.String(), k.status.Name(), k.fault)
	next := maps.Clone(old)
	next[k] = c
	m.counters.Store(&next)
	return c
}

// gauge adds a value that is asked for when somebody looks.
func (m *metrics) gauge(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
}

// reloaded notes how a load of the configuration ended.
func (m *metrics) reloaded(good bool, at time.Time) {
	if !good {
		m.reloadGood.Set(0)
		return
	}
	m.reloadGood.Set(1)
	m.reloadTime.Set(float64(at.UnixNano()) / 1e9)
}

// handler serves /metrics.
func (m *metrics) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	return mux
}

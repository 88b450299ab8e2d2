package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"smbproxy/demux/backend"
)

// backendCollector shows the backends in force at the moment somebody looks: a reload adds and
// removes them, so they cannot be registered one by one.
type backendCollector struct{ pools *poolSet }

// What is told of each backend.
var (
	backendLabels   = []string{"backend"}
	backendUp       = prometheus.NewDesc("smbproxy_backend_reachable", "0: the last attempt to connect failed; 1: nothing is known to be wrong.", backendLabels, nil)
	backendLanes    = prometheus.NewDesc("smbproxy_backend_lanes", "Connections to the backend that are up.", backendLabels, nil)
	backendClients  = prometheus.NewDesc("smbproxy_backend_clients", "Client sessions that use the backend.", backendLabels, nil)
	backendState    = prometheus.NewDesc("smbproxy_backend_state", "1 for the state that the backend has: up, suspect, down, fenced, draining, disabled.", []string{"backend", "state"}, nil)
	backendStuck    = prometheus.NewDesc("smbproxy_backend_stuck_lanes", "Connections whose smbd hangs in a request.", backendLabels, nil)
	backendLost     = prometheus.NewDesc("smbproxy_backend_lost_lanes_total", "Connections to the backend that have ended.", backendLabels, nil)
	backendUnfenced = prometheus.NewDesc("smbproxy_backend_unfenced_sessions", "Sessions of lost connections that may still change something.", backendLabels, nil)
	backendOpens    = prometheus.NewDesc("smbproxy_backend_opens", "Files open at the backend.", backendLabels, nil)
)

// Describe implements prometheus.Collector.
func (c backendCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{backendUp, backendLanes, backendClients, backendOpens, backendState, backendStuck, backendLost, backendUnfenced} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c backendCollector) Collect(out chan<- prometheus.Metric) {
	for name, st := range c.pools.status() {
		row, up := summary(st), 1.0
		if row.Down != "" {
			up = 0
		}
		stuck, lost := 0., 0.
		for _, l := range st.Lanes {
			if l.Stuck {
				stuck++
			}
			lost += float64(l.Lost)
		}
		tell := func(desc *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(desc, kind, value, append([]string{name}, labels...)...)
		}
		tell(backendUp, prometheus.GaugeValue, up)
		tell(backendLanes, prometheus.GaugeValue, float64(row.Lanes))
		tell(backendClients, prometheus.GaugeValue, float64(row.Clients))
		tell(backendOpens, prometheus.GaugeValue, float64(row.Opens))
		tell(backendStuck, prometheus.GaugeValue, stuck)
		tell(backendLost, prometheus.CounterValue, lost)
		tell(backendUnfenced, prometheus.GaugeValue, float64(st.Lost))
		for state := backend.StateUp; state <= backend.StateDisabled; state++ {
			is := 0.
			if state == st.State {
				is = 1
			}
			tell(backendState, prometheus.GaugeValue, is, state.String())
		}
	}
}

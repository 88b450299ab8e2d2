package main

import "github.com/prometheus/client_golang/prometheus"

// backendCollector shows the backends in force at the moment somebody looks: a reload adds and
// removes them, so they cannot be registered one by one.
type backendCollector struct{ pools *poolSet }

// What is told of each backend.
var (
	backendLabels  = []string{"backend"}
	backendUp      = prometheus.NewDesc("smbproxy_backend_reachable", "0: the last attempt to connect failed; 1: nothing is known to be wrong.", backendLabels, nil)
	backendLanes   = prometheus.NewDesc("smbproxy_backend_lanes", "Connections to the backend that are up.", backendLabels, nil)
	backendClients = prometheus.NewDesc("smbproxy_backend_clients", "Client sessions that use the backend.", backendLabels, nil)
	backendOpens   = prometheus.NewDesc("smbproxy_backend_opens", "Files open at the backend.", backendLabels, nil)
)

// Describe implements prometheus.Collector.
func (c backendCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{backendUp, backendLanes, backendClients, backendOpens} {
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
		for _, m := range []struct {
			desc  *prometheus.Desc
			value float64
		}{{backendUp, up}, {backendLanes, float64(row.Lanes)}, {backendClients, float64(row.Clients)}, {backendOpens, float64(row.Opens)}} {
			out <- prometheus.MustNewConstMetric(m.desc, prometheus.GaugeValue, m.value, name)
		}
	}
}

package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
)

// bar is one row of a plot: a value for each of its series.
type bar struct {
	label  string
	values []float64
	goal   float64 // a mark; 0: none
}

// chart is a plot of horizontal bars.
type chart struct {
	title  string
	series []string
	bars   []bar
	unit   string
}

// colours are the series' fills: they differ in brightness too, for those who print in grey.
var colours = []string{"#9aa7b4", "#3d7ea6", "#d9822b"}

// Sizes of a chart, in pixels.
const (
	chartLeft  = 330
	chartPlot  = 460
	chartRight = 70
	barHeight  = 11
	barGap     = 10
	chartTop   = 56
)

// svg draws the chart: plain SVG 1.1 without scripts or fonts of its own.
func (c *chart) svg() []byte {
	top := 0.0
	for _, r := range c.bars {
		top = max(top, r.goal)
		for _, v := range r.values {
			top = max(top, v)
		}
	}
	step := niceStep(top)
	top = math.Ceil(top/step) * step
	row := len(c.series)*barHeight + barGap
	width, height := chartLeft+chartPlot+chartRight, chartTop+len(c.bars)*row+30
	x := func(v float64) float64 { return chartLeft + v/top*chartPlot }
	var b bytes.Buffer
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\">\n", width, height, width, height)
	fmt.Fprintf(&b, "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n<text x=\"10\" y=\"20\" font-size=\"15\">%s</text>\n", width, height, html.EscapeString(c.title))
	for i, s := range c.series {
		at := chartLeft + i*120
		fmt.Fprintf(&b, "<rect x=\"%d\" y=\"32\" width=\"12\" height=\"12\" fill=\"%s\"/><text x=\"%d\" y=\"42\">%s</text>\n", at, colours[i%len(colours)], at+17, html.EscapeString(s))
	}
	for v := 0.0; v <= top+step/2; v += step {
		fmt.Fprintf(&b, "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#dddddd\"/><text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\" fill=\"#555555\">%g%s</text>\n",
			x(v), chartTop, x(v), height-26, x(v), height-10, math.Round(v*1000)/1000, c.unit)
	}
	for i, r := range c.bars {
		y := chartTop + i*row + barGap/2
		fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", chartLeft-8, y+len(r.values)*barHeight/2+4, html.EscapeString(r.label))
		for k, v := range r.values {
			fmt.Fprintf(&b, "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/><text x=\"%.1f\" y=\"%d\" font-size=\"10\">%.2f</text>\n",
				chartLeft, y+k*barHeight, x(v)-chartLeft, barHeight-1, colours[k%len(colours)], x(v)+4, y+(k+1)*barHeight-2, v)
		}
		if r.goal > 0 {
			fmt.Fprintf(&b, "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#b00020\" stroke-width=\"2\"/>\n", x(r.goal), y-2, x(r.goal), y+len(r.values)*barHeight+1)
		}
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// niceStep is 1, 2 or 5 times a power of ten, so that about eight lines cover top.
func niceStep(top float64) float64 {
	if top <= 0 {
		return 1
	}
	step := math.Pow(10, math.Floor(math.Log10(top/8)))
	for _, f := range []float64{1, 2, 5, 10} {
		if step*f >= top/8 {
			return step * f
		}
	}
	return step * 10
}

// ratioPlot shows haproxy's and smbproxy's rates as a part of direct's, with the goal.
func ratioPlot(done []*measured) []byte {
	c := chart{title: "Rate as a part of direct's (mark: smbproxy's goal)", series: []string{"haproxy", "smbproxy"}}
	for _, m := range done {
		d := m.figures[direct].OpsPerSecond
		r := bar{label: m.title, values: []float64{m.figures[haproxy].OpsPerSecond / d, m.figures[smbproxy].OpsPerSecond / d}}
		if m.least > 0 {
			r.goal = m.least * m.figures[m.versus].OpsPerSecond / d
		}
		c.bars = append(c.bars, r)
	}
	return c.svg()
}

// processorPlot shows smbproxy's processor time per operation as a multiple of haproxy's.
func processorPlot(done []*measured) []byte {
	c := chart{title: "Processor time per operation, as a multiple of haproxy's (mark: goal)", series: []string{"smbproxy"}}
	for _, m := range done {
		c.bars = append(c.bars, bar{label: m.title, values: []float64{m.cpuRatio()}, goal: m.cpuMost})
	}
	return c.svg()
}

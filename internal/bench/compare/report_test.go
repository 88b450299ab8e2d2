package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"smbproxy/internal/bench"
)

// invented is a comparison that smbproxy holds, or misses.
func invented(least float64) *measured {
	c := *cases[0]
	c.least = least
	m := &measured{comparison: &c}
	for t, rate := range []float64{1000, 500, 480} {
		m.figures[t] = figure{OpsPerSecond: rate, MiBPerSecond: rate, CPUPerOp: 100, CPUPerGiB: 0.1, Protected: "plain"}
	}
	return m
}

func TestHeld(t *testing.T) {
	for _, c := range []struct {
		name       string
		least, cpu float64
		held, goal bool
	}{
		{"holds", 0.9, 2, true, true},
		{"too slow", 0.97, 2, false, true},
		{"too dear", 0.9, 0.5, false, true},
		{"no goal", 0, 0, true, false},
	} {
		m := invented(c.least)
		m.cpuMost = c.cpu
		if held, goal := m.held(); held != c.held || goal != c.goal {
			t.Errorf("%s: got %v %v, want %v %v", c.name, held, goal, c.held, c.goal)
		}
	}
}

func TestMedian(t *testing.T) {
	got := median([]figure{{OpsPerSecond: 3, P50: 1}, {OpsPerSecond: 1, P50: 2}, {OpsPerSecond: 2, P50: 9}})
	if got.OpsPerSecond != 2 || got.P50 != 2 || got.Low != 1 || got.High != 3 {
		t.Errorf("got %+v", got)
	}
}

func TestChoose(t *testing.T) {
	got, scale, err := choose("read-plain,scale")
	if err != nil || len(got) != 1 || !scale {
		t.Errorf("got %d cases, scale %v, %v", len(got), scale, err)
	}
	if _, _, err := choose("nothing"); err == nil {
		t.Error("an unknown case is taken")
	}
}

// TestWrite sees that the report says what was missed, that its formats have their arguments, and that the plots are XML.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	o := options{rounds: 5, duration: time.Second, out: filepath.Join(dir, "B.md"), plots: filepath.Join(dir, "plots")}
	s := &scaled{idle: 10, busy: 2, result: &bench.Result{Seconds: 1}}
	if err := write(o, "a machine", []*measured{invented(0.9), invented(0.97)}, s); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(o.out)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a machine", "| holds |", "| **missed** |", "Why a goal", "| 0.96, 1.00 times |"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the report does not say %q", want)
		}
	}
	if strings.Contains(string(text), "%!") {
		t.Errorf("a format lacks an argument:\n%s", text)
	}
	for _, name := range []string{"ratios.svg", "processor.svg"} {
		plot, err := os.ReadFile(filepath.Join(o.plots, name))
		if err != nil {
			t.Fatal(err)
		}
		d := xml.NewDecoder(bytes.NewReader(plot))
		for err == nil {
			_, err = d.Token()
		}
		if !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package slacksim

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// tableRows gives the cells of a data table, row by row; the first is the header.
func tableRows(block object) [][]object {
	rows, _ := block["rows"].([]any)
	out := make([][]object, 0, len(rows))
	for _, row := range rows {
		out = append(out, objects(object{"row": row}, "row"))
	}
	return out
}

// checkTable holds the rules about all cells of a data table together.
func (c *checker) checkTable(at string, block object) {
	size := 0
	for i, row := range tableRows(block) {
		here := fmt.Sprintf("%s/rows/%d", at, i)
		if i > 0 && len(row) != len(tableRows(block)[0]) {
			c.fault(here, "all rows must have the same number of values")
		}
		for n, cell := range row {
			if i == 0 && text(cell, "type") != "raw_text" {
				c.fault(fmt.Sprintf("%s/%d", here, n), "cells of the header must be raw_text")
			}
			if fallback := child(cell, "fallback"); fallback != nil && text(fallback, "type") == "action_cell" {
				c.fault(fmt.Sprintf("%s/%d/fallback", here, n), "must be raw_text or raw_number")
			}
			size += utf8.RuneCountInString(cellText(cell))
		}
	}
	if size > maxTableText {
		c.fault(at+"/rows", "must be less than %d characters", maxTableText+1)
	}
}

// cellText is what a cell of a data table shows; of a button, its text.
func cellText(cell object) string {
	switch text(cell, "type") {
	case "raw_number":
		if t := text(cell, "text"); t != "" {
			return t
		}
		return fmt.Sprint(cell["value"])
	case "action_cell":
		return text(cell, "element", "text", "text")
	case "rich_text":
		var parts []string
		for _, section := range objects(cell, "elements") {
			for _, e := range objects(section, "elements") {
				parts = append(parts, text(e, "text")+text(e, "fallback"))
			}
		}
		return strings.Join(parts, "")
	}
	return text(cell, "text")
}

// checkChart holds the rules about the parts of a chart: which ones each type has,
// and that each series has a point for each category.
func (c *checker) checkChart(at string, chart object) {
	if text(chart, "type") == "pie" {
		if chart["segments"] == nil || chart["series"] != nil || chart["axis_config"] != nil {
			c.fault(at, "a pie has `segments`, and neither `series` nor `axis_config`")
		}
		for i, s := range objects(chart, "segments") {
			if v, _ := s["value"].(float64); v <= 0 {
				c.fault(fmt.Sprintf("%s/segments/%d/value", at, i), "must be greater than 0")
			}
		}
		return
	}
	if chart["segments"] != nil || chart["series"] == nil || chart["axis_config"] == nil {
		c.fault(at, "must have `series` and `axis_config`, and no `segments`")
	}
	categories, _ := child(chart, "axis_config")["categories"].([]any)
	unique := func(at string, values []any) {
		for i, v := range values {
			if slices.Contains(values[:i], v) {
				c.fault(at, "`%v` already exists", v)
			}
		}
	}
	unique(at+"/axis_config/categories", categories)
	var names []any
	for i, series := range objects(chart, "series") {
		here := fmt.Sprintf("%s/series/%d", at, i)
		names = append(names, series["name"])
		var labels []any
		for _, point := range objects(series, "data") {
			if labels = append(labels, point["label"]); !slices.Contains(categories, point["label"]) {
				c.fault(here, "`%v` is not one of the categories", point["label"])
			}
		}
		unique(here, labels)
		if len(labels) != len(categories) {
			c.fault(here, "must have one point for each category")
		}
	}
	unique(at+"/series", names)
}

// renderTable gives a data table as text: a row a line, cells between bars.
func (s *Sim) renderTable(block object) []string {
	lines := []string{"(table: " + text(block, "caption") + ")"}
	for _, row := range tableRows(block) {
		line := "|"
		for _, cell := range row {
			shown := cellText(cell)
			if text(cell, "type") == "action_cell" {
				shown = "[" + shown + "]"
			}
			line += " " + shown + " |"
		}
		lines = append(lines, line)
	}
	return lines
}

// renderChart gives a chart as text: its title and type, and a series a line.
func (s *Sim) renderChart(block object) []string {
	chart := child(block, "chart")
	lines := []string{"(" + text(chart, "type") + " chart: " + text(block, "title") + ")"}
	points := func(name string, list []object) {
		line := name
		for _, p := range list {
			line += fmt.Sprintf(" %s=%v", text(p, "label"), p["value"])
		}
		lines = append(lines, line)
	}
	if segments := objects(chart, "segments"); len(segments) > 0 {
		points("-", segments)
	}
	for _, series := range objects(chart, "series") {
		points("- "+text(series, "name")+":", objects(series, "data"))
	}
	return lines
}

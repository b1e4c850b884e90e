package evidence

import (
	"encoding/json"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// takeList reads the lists at the top; other files there are notes for people.
func (o *opener) takeList(name string) error {
	m := o.machine
	given := func(list string) { delete(m.nothing, list) }
	switch name {
	case filesFile:
		return o.json(name, &o.paths)
	case errorsFile:
		return o.json(name, &o.errors)
	case processesFile:
		given(ProcessList)
		return o.json(name, &m.processes)
	case servicesFile:
		given(ServiceList)
		return o.json(name, &m.services)
	case sessionsFile:
		given(SessionList)
		return o.json(name, &m.sessions)
	case sysctlsFile:
		return o.json(name, &m.sysctls)
	}
	return nil
}

func (o *opener) takeFile(name, rest string) error {
	data, err := o.read(name)
	if err != nil {
		return err
	}
	o.machine.SetFile(pathOf(rest, o.machine.system), string(data))
	return nil
}

func (o *opener) takeCommand(name, rest string) error {
	ext := path.Ext(rest)
	command := unescapeName(strings.TrimSuffix(rest, ext))
	data, err := o.read(name)
	if err != nil {
		return err
	}
	out := o.machine.commands[command]
	switch ext {
	case ".out":
		out.Stdout = data
	case ".err":
		out.Stderr = data
	case ".code":
		if out.Code, err = strconv.Atoi(strings.TrimSpace(string(data))); err != nil {
			return fmt.Errorf("%s: want an exit code: %w", name, err)
		}
	default:
		return fmt.Errorf("%s: a command's file ends in .out, .err or .code", name)
	}
	o.machine.commands[command] = out
	return nil
}

func (o *opener) takeRegistry(name, _ string) error {
	data, err := o.read(name)
	if err != nil {
		return err
	}
	var keys map[string]Registry
	if path.Ext(name) == ".json" {
		err = json.Unmarshal(data, &keys)
	} else {
		keys, err = ParseRegistry(data)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	o.machine.addRegistry(keys)
	return nil
}

func (o *opener) takeWMI(name, rest string) error {
	ext := path.Ext(rest)
	if ext != ".json" && ext != ".txt" {
		return fmt.Errorf("%s: instances of a class are in .json or .txt", name)
	}
	data, err := o.read(name)
	if err != nil {
		return err
	}
	rows, err := ParseRows(data)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	namespace, class := path.Split(strings.TrimSuffix(rest, ext))
	o.machine.SetWMI(unescapeName(strings.TrimSuffix(namespace, "/")), unescapeName(class), rows...)
	return nil
}

func (o *opener) takeAnswer(name, rest string) error {
	question, ok := strings.CutSuffix(rest, ".json")
	if !ok {
		return fmt.Errorf("%s: an answer is in .json", name)
	}
	data, err := o.read(name)
	if err != nil {
		return err
	}
	if !json.Valid(data) {
		return fmt.Errorf("%s: is not JSON", name)
	}
	o.machine.answers[unescapeName(question)] = data
	return nil
}

func (o *opener) takeDistilled(name, rest string) error {
	what, file, ok := strings.Cut(rest, "/")
	if !ok {
		return fmt.Errorf("%s: want %s/<what>/<path>", name, distilledDir)
	}
	data, err := o.read(name)
	if err != nil {
		return err
	}
	o.machine.SetDistilled(pathOf(file, o.machine.system), unescapeName(what), data)
	return nil
}

package main

import (
	"strings"

	"github.com/postern-zt/postern/client/view"
)

// pick finds the application that a person means: by its id, its name, or the
// beginning of one, if only one begins so.
func (a *app) pick(apps []view.App, name string) (view.App, error) {
	w := a.said().Open
	ways := []func(view.App) bool{
		func(x view.App) bool { return x.ID == name },
		func(x view.App) bool { return strings.EqualFold(x.ID, name) || strings.EqualFold(x.Name, name) },
		func(x view.App) bool { return begins(x.ID, name) || begins(x.Name, name) },
	}
	for _, is := range ways {
		var found []view.App
		for _, x := range apps {
			if is(x) {
				found = append(found, x)
			}
		}
		if len(found) == 1 {
			return found[0], nil
		}
		if len(found) > 1 {
			return view.App{}, &failure{Code: codeManyApps, Message: fill(w.Many, "name", name),
				Hint: fill(w.NameOne, "list", strings.Join(ids(found), ", ")), exit: exitError}
		}
	}
	return view.App{}, &failure{Code: codeNoApp, Message: fill(w.NoSuch, "name", name), Hint: a.meant(apps, name), exit: exitError}
}

func begins(s, prefix string) bool {
	return prefix != "" && strings.HasPrefix(strings.ToLower(s), strings.ToLower(prefix))
}

// ids name applications so that each can be told from the others: by its id,
// with its name where that says more.
func ids(apps []view.App) []string {
	var out []string
	for _, x := range apps {
		if strings.EqualFold(x.ID, x.Name) {
			out = append(out, x.ID)
			continue
		}
		out = append(out, x.ID+" ("+x.Name+")")
	}
	return out
}

// meant suggests an application for a name that is none.
func (a *app) meant(apps []view.App, name string) string {
	w := a.said().Open
	if len(apps) == 0 {
		return w.NoApps
	}
	byWord := map[string]string{}
	var words []string
	for _, x := range apps {
		byWord[x.ID], byWord[x.Name] = x.ID, x.ID
		words = append(words, x.ID, x.Name)
	}
	var near []string
	for _, word := range nearest(name, words) {
		if id := byWord[word]; len(near) == 0 || near[len(near)-1] != id {
			near = append(near, id)
		}
	}
	if len(near) > 0 {
		return fill(w.Meant, "list", strings.Join(near, ", "))
	}
	return w.SeeAll
}

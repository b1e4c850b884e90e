package main

import (
	"context"
	"runtime"
	"time"

	"github.com/spf13/cobra"
)

// completionPatience is how long a person who pressed Tab waits for the agent.
const completionPatience = 300 * time.Millisecond

// shells are those that there are completions for.
var shells = []string{"bash", "zsh", "fish", "powershell"}

func (a *app) completionCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "completion SHELL", Short: "write the completions for bash, zsh, fish or powershell",
		Long: `Writes what makes the Tab key complete commands, flags and the names of your applications.

Of the examples the first is for the bash that you are in. The others are for good: bash with the package bash-completion, zsh, fish, and PowerShell, where the line belongs into your profile.`,
		Example:   completionExample(runtime.GOOS),
		ValidArgs: shells,
		Args: func(c *cobra.Command, args []string) error {
			w := a.said().Usage
			return a.one(w.Shells, w.Shells)(c, args)
		},
		RunE: a.run(func(_ context.Context, args []string) (int, error) {
			write := map[string]func() error{
				"bash":       func() error { return root.GenBashCompletionV2(a.out, true) },
				"zsh":        func() error { return root.GenZshCompletion(a.out) },
				"fish":       func() error { return root.GenFishCompletion(a.out, true) },
				"powershell": func() error { return root.GenPowerShellCompletionWithDesc(a.out) },
			}[args[0]]
			if write == nil {
				return 0, a.usage("postern completion", a.said().Usage.Shells)
			}
			return exitOK, write()
		}),
	}
}

const powershell = "postern completion powershell | Out-String | Invoke-Expression"

// completionExample is for the shells that people on that system have.
func completionExample(system string) string {
	if system == "windows" {
		return powershell
	}
	return `source <(postern completion bash)
postern completion bash > ~/.local/share/bash-completion/completions/postern
postern completion zsh > "${fpath[1]}/_postern"
postern completion fish > ~/.config/fish/completions/postern.fish
` + powershell
}

// completeApps gives the ids of the applications, with their names. Without an
// agent that answers at once there are none, and no word about it.
func (a *app) completeApps(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, stop := context.WithTimeout(c.Context(), completionPatience)
	defer stop()
	s, err := a.status(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var out []cobra.Completion
	for _, p := range s.Apps {
		out = append(out, cobra.CompletionWithDesc(a.clean(p.ID), a.clean(p.Name)))
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

package view

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/posture/fact"
)

func BenchmarkNew(b *testing.B) {
	data, err := os.ReadFile("../../testfixtures/machines/windows-10-1803-enterprise-precision-unhealthy/report.json")
	if err != nil {
		b.Fatal(err)
	}
	var report fact.Report
	if err := json.Unmarshal(data, &report); err != nil {
		b.Fatal(err)
	}
	in := inputOf(func(s *localapi.Status) { deny(s, []string{"org/disk"}, "wiki") })
	in.Reading = &localapi.Reading{Report: report}
	for b.Loop() {
		New(in)
	}
}

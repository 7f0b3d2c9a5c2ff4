/** A table to ask about; one invoice went wrong. */
export const SAMPLE = {
  name: "costs.csv",
  csv: `month,service,cost
2026-01,Compute,4280
2026-01,Storage,1370
2026-01,Network,890
2026-02,Compute,4410
2026-02,Storage,1380
2026-02,Network,905
2026-03,Compute,4530
2026-03,Storage,1395
2026-03,Network,4210
2026-04,Compute,4690
2026-04,Storage,1402
2026-04,Network,930
`,
};

"""Makes blend.json with PEFT's merge_utils: python blend.py > blend.json"""
import json, torch, peft
from peft.utils.merge_utils import ties, task_arithmetic, magnitude_prune, dare_linear
torch.manual_seed(5)
base = torch.randn(6, 7, dtype=torch.float64)
tasks = [torch.randn(6, 7, dtype=torch.float64) for _ in range(3)]
tasks[1][0, 0] = -tasks[0][0, 0]
cases = []
for density in (0.2, 0.5, 1.0):
    for factors in ([1.0, 1.0, 1.0], [0.5, 2.0, 1.0]):
        cases.append({"density": density, "factors": factors, "merged": ties(tasks, torch.tensor(factors, dtype=torch.float64), density).tolist()})
print(json.dumps({"peft": peft.__version__, "torch": torch.__version__, "base": base.tolist(), "tasks": [t.tolist() for t in tasks], "ties": cases}))

# kubectl get workloads -A -o json -> a line for each pending workload with GPUs and a limit of its time.
.items[]
| select([.status.conditions[]? | select(.type == "QuotaReserved" and .status == "True")] == [])
| [.spec.podSets[] | . as $set | $set.template.spec.containers[]
    | {count: $set.count, gpus: (.resources.requests["nvidia.com/gpu"] // "0" | tonumber),
       product: $set.template.spec.nodeSelector["nvidia.com/gpu.product"]}
    | select(.gpus > 0)] as $pods
| select($pods != [] and .spec.maximumExecutionTimeSeconds != null)
| {
    workload: "\(.metadata.namespace)/\(.metadata.name)",
    namespace: .metadata.namespace,
    gpuProduct: $pods[0].product,
    gpus: ([$pods[] | .count * .gpus] | add),
    maxHours: (.spec.maximumExecutionTimeSeconds / 3600),
    priority: .spec.priority,
    region: $region
  }

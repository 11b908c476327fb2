# squeue --states=PENDING --noheader --format="%i|%j|%a|%D|%b|%l|%Q" -> a row for each job with GPUs and a time limit.
BEGIN {
    FS = "|"; OFS = ","
    print "JobID", "JobName", "Account", "GPU", "GPUs", "TimeLimitHours", "Priority", "Cluster"
}
$5 ~ /gpu:/ && $6 ~ /:/ {
    n = split($5, gres, ":")                       # gres/gpu:h100:8
    days = 0; clock = $6
    if (split($6, parts, "-") == 2) { days = parts[1]; clock = parts[2] }
    k = split(clock, t, ":")
    hours = k == 3 ? t[1] + t[2] / 60 + t[3] / 3600 : t[1] / 60 + t[2] / 3600
    gsub(/"/, "\"\"", $2)
    print $1, "\"" $2 "\"", $3, gres[n - 1], $4 * gres[n], 24 * days + hours, $7, cluster
}

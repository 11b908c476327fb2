"use strict";
(() => {
  const PAGE = 50, THIN = "\u202f", MINUS = "\u2212", DASH = "\u2013";
  const data = JSON.parse(document.getElementById("jobs-data").textContent);
  const CODED = ["team", "project", "model", "device", "action", "from", "to", "plan", "status"];
  const LISTS = Object.values(data.names);
  const origin = Date.parse(data.asOf);
  const jobs = data.rows.map((row, at) => {
    const job = { at, id: row[0] };
    CODED.forEach((name, code) => { job[name] = row[code + 1] === null ? null : LISTS[code][row[code + 1]]; });
    [job.count, job.start, job.planned, job.advised, job.saving, job.low, job.high, job.late] = row.slice(10);
    job.text = [job.id, job.team, job.project, job.model, job.device, data.actions[job.action], job.from, job.to]
      .filter(Boolean).join("\n").toLocaleLowerCase("en");
    return job;
  });

  const grouped = digits => digits.replace(/\B(?=(\d{3})+$)/g, THIN);
  const short = (value, digits) => {
    if (value === 0) return "0";
    const size = Math.floor(Math.log10(Math.abs(value))), scale = 10 ** (digits - 1 - size);
    const kept = Math.round(Math.abs(value) * scale) / scale;
    const [whole, part] = kept.toFixed(Math.max(0, digits - 1 - size)).split(".");
    const rest = (part || "").replace(/0+$/, "");
    return (value < 0 ? MINUS : "") + grouped(whole) + (rest ? "." + rest : "");
  };
  const mass = kg => kg === null ? DASH
    : Math.abs(kg) >= 1000 ? short(kg / 1000, 3) + THIN + "t" : short(kg, 3) + THIN + "kg";
  const moment = minutes => {
    if (minutes === null) return DASH;
    const date = new Date(origin + minutes * 60000), two = value => String(value).padStart(2, "0");
    return `${["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][date.getUTCDay()]} ${two(date.getUTCDate())} ` +
      `${["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][date.getUTCMonth()]} ` +
      `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`;
  };
  const cells = job => [
    [job.id, [job.team, job.project, job.model].filter(Boolean).join(" · "), false],
    [data.actions[job.action], job.plan === "ok" ? "" : job.plan.replaceAll("_", " "), false],
    job.saving === null || job.action === "none" ? [DASH, "", true]
      : [mass(job.saving) + (job.planned ? ` (${Math.round(100 * job.saving / job.planned)} %)` : ""),
        job.low === null ? "" : `${mass(job.low)} to ${mass(job.high)}`, true],
    [mass(job.planned), job.status || "", true],
    [job.from || DASH, "", false],
    [job.to || DASH, "", false],
    [moment(job.start), "", false],
    [job.device, "× " + short(job.count, 15), false],
    [job.late === null ? DASH : job.late + " %", "", true],
  ];
  const KEYS = ["id", "action", "saving", "planned", "from", "to", "start", "device", "late"];
  const GREATEST_FIRST = ["saving", "planned", "late"];

  const table = document.getElementById("jobs-table"), body = table.tBodies[0];
  const search = document.getElementById("jobs-search"), count = document.getElementById("jobs-count");
  const before = document.getElementById("jobs-before"), after = document.getElementById("jobs-after");
  let found = jobs, page = 0, key = "planned", down = true;

  const compare = (one, other) => {
    const a = one[key], b = other[key];
    if (a === null || b === null) return (a === null) - (b === null) || one.at - other.at;
    const order = typeof a === "string" ? a.localeCompare(b, "en") : a - b;
    return (down ? -order : order) || one.at - other.at;
  };
  const draw = () => {
    const first = page * PAGE, rows = document.createDocumentFragment();
    for (const job of found.slice(first, first + PAGE)) {
      const row = document.createElement("tr");
      cells(job).forEach(([text, small, numeric], at) => {
        const cell = document.createElement(at ? "td" : "th");
        if (at === 0) cell.scope = "row";
        if (numeric) cell.className = "number";
        cell.textContent = text;
        if (small) cell.appendChild(document.createElement("small")).textContent = small;
        row.append(cell);
      });
      rows.append(row);
    }
    body.replaceChildren(rows);
    const last = Math.min(first + PAGE, found.length);
    count.textContent = !found.length ? "No job is found."
      : `${grouped(String(first + 1))} to ${grouped(String(last))} of ${grouped(String(found.length))} jobs` +
        (found.length < jobs.length ? " found" : "");
    before.disabled = page === 0;
    after.disabled = last >= found.length;
  };
  const update = () => {
    const words = search.value.toLocaleLowerCase("en").split(/\s+/).filter(Boolean);
    found = jobs.filter(job => words.every(word => job.text.includes(word))).sort(compare);
    page = 0;
    draw();
  };

  [...table.tHead.rows[0].cells].forEach((head, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const again = KEYS[at] === key;
      key = KEYS[at];
      down = again ? !down : GREATEST_FIRST.includes(key);
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      update();
    });
  });
  search.addEventListener("input", update);
  before.addEventListener("click", () => { page -= 1; draw(); if (before.disabled) after.focus(); });
  after.addEventListener("click", () => { page += 1; draw(); if (after.disabled) before.focus(); });

  const harmless = value => {
    if (value === null || value === undefined) return "";
    if (typeof value === "number") return String(value);
    const text = /^[=+\-@\t\r]/.test(value) ? "'" + value : value;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const COLUMNS = {
    job_id: job => job.id, team: job => job.team, project: job => job.project, model: job => job.model,
    device: job => job.device, device_count: job => job.count, action: job => job.action, plan_status: job => job.plan,
    baseline_region: job => job.from, advised_region: job => job.to,
    advised_start_utc: job => job.start === null ? null : new Date(origin + job.start * 60000).toISOString().slice(0, 16) + "Z",
    total_kgco2e: job => job.planned, advised_total_kgco2e: job => job.advised, saving_kgco2e: job => job.saving,
    saving_low_kgco2e: job => job.low, saving_high_kgco2e: job => job.high,
    deadline_risk: job => job.late === null ? null : job.late / 100, status: job => job.status,
  };
  document.getElementById("jobs-csv").addEventListener("click", () => {
    const lines = [Object.keys(COLUMNS).join(",")];
    for (const job of found) lines.push(Object.values(COLUMNS).map(read => harmless(read(job))).join(","));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([lines.join("\r\n") + "\r\n"], { type: "text/csv" }));
    link.download = "jobs.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });

  document.documentElement.classList.add("js");
  update();
})();

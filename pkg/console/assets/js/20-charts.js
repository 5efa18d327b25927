// Charts: <div class="chart" data-chart='{"unit": …, "times": […], "series": […]}'>, as chart.go makes them.
(() => {
  "use strict";
  // A probe resolves a custom property to a colour that a canvas understands.
  const color = (name) => {
    const probe = document.createElement("span");
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const value = getComputedStyle(probe).color;
    probe.remove();
    return value;
  };

  const bytes = ["B", "KB", "MB", "GB", "TB"];
  const number = (v, digits) => v.toLocaleString("en-US", { maximumFractionDigits: digits });
  // format writes a value with its unit; the axis is short, the tooltip exact.
  const format = (unit, v, short) => {
    if (v === null || v === undefined) {
      return "–";
    }
    switch (unit) {
      case "bytes": {
        let i = 0;
        while (Math.abs(v) >= 1000 && i < bytes.length - 1) {
          v /= 1000;
          i++;
        }
        return `${number(v, i ? 1 : 0)} ${bytes[i]}`;
      }
      case "ms":
        return v >= 1000 ? `${number(v / 1000, 2)} s` : `${number(v, v < 10 ? 2 : 1)} ms`;
      case "percent":
        return `${number(v, 1)} %`;
      case "usd":
        return `$${v !== 0 && Math.abs(v) < 0.01 ? number(v, 6) : v.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: short ? 2 : 4 })}`;
      default:
        if (short && Math.abs(v) >= 1000) {
          return v >= 1e6 ? `${number(v / 1e6, 1)}M` : `${number(v / 1e3, 1)}k`;
        }
        return number(v, 2);
    }
  };

  const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
  const hour = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZone: "UTC" });
  const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: "UTC" });

  const second = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", timeZone: "UTC" });

  const increments = [10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 14400, 21600, 43200, 86400, 172800, 259200, 432000, 604800, 1209600, 2592000];

  // lonely are the places of values without neighbours, which no line would show.
  const lonely = (values) => values.flatMap((v, i) => (v !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null ? [i] : []));

  // tooltip follows the cursor and names each series' value.
  const tooltip = (host) => {
    const tip = document.createElement("div");
    tip.className = "chart-tip";
    tip.hidden = true;
    return {
      hooks: {
        init: (u) => u.over.append(tip),
        setCursor: (u) => {
          const { spec } = host;
          const { idx, left, top } = u.cursor;
          tip.hidden = idx === null || idx === undefined || left < 0;
          if (tip.hidden) {
            return;
          }
          const when = document.createElement("p");
          const at = new Date(spec.times[idx] * 1000);
          when.textContent = spec.step < 60 ? `${second.format(at)} UTC` : spec.step < 86400 ? `${hour.format(at)} UTC` : day.format(at);
          tip.replaceChildren(when, ...spec.series.map((s, i) => {
            const row = document.createElement("div");
            const swatch = document.createElement("span");
            const value = document.createElement("b");
            swatch.className = `swatch swatch-${s.color}`;
            value.textContent = format(spec.unit, s.values[idx], false);
            row.append(swatch, s.label, value);
            return row;
          }));
          const x = left + 16 + tip.offsetWidth > u.over.clientWidth ? left - tip.offsetWidth - 16 : left + 16;
          tip.style.transform = `translate(${Math.max(0, x)}px, ${Math.max(0, Math.min(top - 16, u.over.clientHeight - tip.offsetHeight))}px)`;
        },
      },
    };
  };

  const draw = (host) => {
    host.plot?.destroy();
    const spec = JSON.parse(host.dataset.chart);
    host.spec = spec;
    const axis = color("--text-3");
    const grid = { stroke: color("--grid"), width: 1 };
    const bars = spec.kind === "bars";
    const series = spec.series.map((s) => {
      const stroke = color(s.color === "mute" ? "--series-mute" : `--series-${s.color}`);
      return {
        label: s.label,
        stroke: bars ? undefined : stroke,
        width: bars ? 0 : 2,
        dash: s.dash ? [4, 4] : undefined,
        fill: bars ? stroke : s.fill ? stroke.replace("rgb(", "rgba(").replace(")", ", 0.12)") : undefined,
        paths: bars ? uPlot.paths.bars({ size: [0.72, 28], radius: 0.15 }) : undefined,
        points: bars ? { show: false } : { show: true, size: 6, width: 0, fill: stroke, filter: (u, i) => lonely(host.spec.series[i - 1].values) },
        spanGaps: false,
      };
    });
    // Bars stand on one another: the first series is drawn as the sum of all, the others over it.
    const dataOf = ({ times, series }) => {
      const values = series.map((s) => s.values);
      return [times, ...(bars ? values.map((_, i) => times.map((_, t) => values.slice(i).reduce((sum, v) => sum + (v[t] ?? 0), 0))) : values)];
    };
    const half = spec.step / 2;
    const options = {
      width: host.clientWidth - 24,
      height: host.clientHeight - 12,
      padding: [8, 20, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { show: !bars, size: 7, width: 2 } },
      tzDate: (t) => uPlot.tzDate(new Date(t * 1000), "Etc/UTC"),
      scales: {
        x: { time: true, range: (u, min, max) => (bars ? [min - half, max + half] : min === max ? [min - half, max + half] : [min, max]) },
        y: { range: (u, min, max) => [0, max > 0 ? max * 1.08 : 1] },
      },
      axes: [
        { stroke: axis, grid: { show: false }, ticks: { show: false }, size: 32, gap: 8, space: 64, font: "11px system-ui, sans-serif", incrs: increments.filter((i) => i >= spec.step),
          values: (u, ticks) => ticks.map((t) => (spec.step < 86400 && t % 86400 !== 0 ? clock.format(t * 1000) : day.format(t * 1000))) },
        { stroke: axis, grid, ticks: { show: false }, size: 60, gap: 8, space: 40, font: "11px system-ui, sans-serif", values: (u, ticks) => ticks.map((t) => format(spec.unit, t, true)) },
      ],
      series: [{}, ...series],
      plugins: [tooltip(host)],
    };
    host.replaceChildren();
    host.plot = new uPlot(options, dataOf(spec), host);
    // redraw shows other values of the same chart, and leaves the cursor where it is.
    host.redraw = (text) => {
      host.dataset.chart = text;
      host.spec = JSON.parse(text);
      host.plot.setData(dataOf(host.spec));
    };
  };

  const drawAll = (root) => {
    for (const host of root.querySelectorAll(".chart[data-chart]")) {
      draw(host);
      resize.observe(host);
    }
  };
  const resize = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const width = target.clientWidth - 24;
      if (target.plot && Math.abs(target.plot.width - width) > 1) {
        target.plot.setSize({ width, height: target.clientHeight - 12 });
      }
    }
  });
  drawAll(document);
  document.addEventListener("htmx:load", (event) => drawAll(event.detail.elt));
  document.addEventListener("skystash:charts", (event) => drawAll(event.detail.parentElement));
  addEventListener("skystash:theme", () => drawAll(document));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(document));
})();

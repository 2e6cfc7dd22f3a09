/// The style sheet of all pages.
///
/// Series use the Okabe–Ito palette, which is distinguishable with colour blindness, darkened or
/// lightened for contrast with the page.
enum PageStyle {
  static let text = """

    :root { color-scheme: light dark;
      --paper: #ffffff; --raised: #f5f6f8; --ink: #1b1f24; --soft: #57606a; --line: #d5dae0; --mark: #0b62a8;
      --s0: #0072b2; --s1: #c2410c; --s2: #00795a; --s3: #a34a86; --s4: #7a5c00; --s5: #3b82c4; --s6: #555b63; }
    @media (prefers-color-scheme: dark) { :root {
      --paper: #14171b; --raised: #1d2127; --ink: #e7eaee; --soft: #a3acb7; --line: #39414b; --mark: #7cc0ff;
      --s0: #56b4e9; --s1: #ff8f4a; --s2: #2fc79a; --s3: #e094c5; --s4: #e6c229; --s5: #9ac8f5; --s6: #b3bac3; } }
    * { box-sizing: border-box; }
    body { margin: 0; background: var(--paper); color: var(--ink);
      font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
    main { max-width: 1480px; margin: 0 auto; padding: 20px 16px 48px; }
    h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 6px; overflow-wrap: anywhere; }
    h2 { font-size: 1.25rem; margin: 40px 0 10px; padding-top: 14px; border-top: 1px solid var(--line); }
    h3 { font-size: 1rem; margin: 0; }
    p { max-width: 46em; margin: 0 0 12px; overflow-wrap: anywhere; }
    header p, footer { color: var(--soft); }
    footer { margin-top: 48px; font-size: 0.85rem; overflow-wrap: anywhere; }
    nav { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 12px 0; }
    a { color: var(--mark); }
    .findings { max-width: 52em; margin: 0 0 18px; padding: 14px 18px 14px 34px; background: var(--raised);
      border-left: 4px solid var(--mark); border-radius: 4px; }
    .findings li { margin: 4px 0; overflow-wrap: anywhere; }
    .numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 0 0 18px; }
    .numbers div { display: flex; flex-direction: column-reverse; justify-content: flex-end; padding: 10px 14px;
      background: var(--raised); border-radius: 6px; }
    .numbers dd { margin: 0; font-size: 1.5rem; font-weight: 600; font-variant-numeric: tabular-nums; }
    .numbers dt { color: var(--soft); font-size: 0.85rem; line-height: 1.35; }
    .measured { grid-template-columns: repeat(auto-fit, minmax(min(100%, 270px), 1fr)); }
    .measured code { display: block; margin-top: 6px; overflow-wrap: anywhere; }
    code, pre { font: 0.82rem/1.45 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
    pre { margin: 0 0 18px; white-space: pre-wrap; overflow-wrap: anywhere; }
    .commands { padding: 10px 14px; background: var(--raised); border-radius: 6px; color: var(--soft); }
    .passage { max-width: 60em; margin: 0 0 18px; padding-left: 14px; border-left: 4px solid var(--line); }
    .passage pre { margin: 4px 0 0; }
    .figures { display: grid; gap: 26px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 420px), 1fr));
      margin: 0 0 18px; align-items: start; }
    figure { margin: 0; min-width: 0; }
    figure.wide { grid-column: 1 / -1; }
    .figures figure:not(.wide) { max-width: 640px; }
    figcaption p { color: var(--soft); font-size: 0.88rem; margin: 2px 0 6px; }
    .drawing { overflow-x: auto; }
    svg { display: block; width: 100%; height: auto; }
    svg text { font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: var(--ink); }
    svg .soft { fill: var(--soft); } svg .halo { paint-order: stroke; stroke: var(--paper); stroke-width: 4px; }
    svg .end { text-anchor: end; } svg .middle { text-anchor: middle; }
    svg .grid { stroke: var(--line); fill: none; stroke-width: 1; }
    svg .axis { stroke: var(--soft); fill: none; stroke-width: 1; }
    svg .mark { stroke: var(--ink); fill: none; stroke-width: 1.5; stroke-dasharray: 5 4; }
    svg .series { fill: none; stroke-width: 2; stroke-linejoin: round; }
    svg .cells { shape-rendering: crispEdges; }
    svg .frame { fill: none; stroke: var(--line); }
    svg .bar { fill: var(--raised); stroke: var(--soft); }
    svg .link { fill: var(--soft); fill-opacity: 0.22; } svg .strong { fill: var(--s1); fill-opacity: 0.62; }
    svg .node { fill: var(--s0); }
    .c0 { stroke: var(--s0); } .c1 { stroke: var(--s1); stroke-dasharray: 7 3; } .c2 { stroke: var(--s2); stroke-dasharray: 2 3; }
    .c3 { stroke: var(--s3); stroke-dasharray: 9 3 2 3; } .c4 { stroke: var(--s4); stroke-dasharray: 12 4; }
    .c5 { stroke: var(--s5); stroke-dasharray: 4 2 1 2 1 2; } .c6 { stroke: var(--s6); stroke-dasharray: 1 2; }
    .f0 { fill: var(--s0); } .f1 { fill: var(--s1); } .f2 { fill: var(--s2); } .f3 { fill: var(--s3); }
    .f4 { fill: var(--s4); } .f5 { fill: var(--s5); } .f6 { fill: var(--s6); }
    svg .dots { fill-opacity: 0.6; }
    details { margin-top: 6px; font-size: 0.88rem; }
    summary { cursor: pointer; color: var(--mark); }
    .scroll { overflow-x: auto; margin: 6px 0 12px; }
    .scroll.long { max-height: 26em; overflow-y: auto; }
    table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.88rem; }
    th, td { padding: 3px 10px; border-bottom: 1px solid var(--line); vertical-align: top; }
    th { font-weight: 600; } tbody th { font-weight: 400; }
    .word { text-align: left; } .number { text-align: right; white-space: nowrap; }
    .images { display: flex; flex-wrap: wrap; gap: 12px; margin: 0 0 18px; }
    .images img { display: block; width: 100%; height: auto; image-rendering: pixelated; }
    .images figcaption { color: var(--soft); font-size: 0.8rem; line-height: 1.3; overflow-wrap: anywhere; }
    @media (max-width: 560px) { svg text { font-size: 13.5px; } main { padding: 16px 12px 40px; } }
    @page { margin: 14mm; }
    @media print {
      :root { --paper: #ffffff; --raised: #f5f6f8; --ink: #000000; --soft: #444444; --line: #bbbbbb; --mark: #0b62a8;
        --s0: #0072b2; --s1: #c2410c; --s2: #00795a; --s3: #a34a86; --s4: #7a5c00; --s5: #3b82c4; --s6: #555b63; }
      nav, details { display: none; }
      main { padding: 0; max-width: none; }
      .figures { grid-template-columns: 1fr 1fr; }
      figure, .findings, tr { break-inside: avoid; } h2, h3 { break-after: avoid; }
      .drawing, .scroll, .scroll.long { overflow: visible; max-height: none; }
      svg { min-width: 0 !important; } svg .cells, .findings, .numbers div { print-color-adjust: exact; }
    }

    """
}

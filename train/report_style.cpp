#include "train/report_style.hpp"

#include "train/chart_colors.hpp"

namespace autodidact::train {
namespace {

constexpr const char* kStyle = R"css(
:root{--ink:#1f2933;--soft:#5b6875;--line:#dde3e8;--paper:#fff;--accent:#c2410c;color-scheme:light dark}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main{max-width:56rem;margin:0 auto;padding:3.5rem 1.25rem 5rem}
h1{font-size:2.1rem;line-height:1.15;letter-spacing:-.02em;margin:0 0 .4rem;overflow-wrap:anywhere}
h2{font-size:1.5rem;line-height:1.25;letter-spacing:-.01em;margin:0 0 .3rem;overflow-wrap:anywhere}
h3,h2.part{font-size:1rem;line-height:1.4;letter-spacing:0;margin:2.2rem 0 .4rem}
p{margin:.3rem 0;max-width:44rem}
.lede{max-width:none}
a{color:inherit;text-decoration-color:var(--soft);text-underline-offset:.15em}
.lede,figcaption,.note,caption,summary{color:var(--soft)}
section{margin-top:3.5rem;padding-top:2rem;border-top:1px solid var(--line)}
.note{border-left:3px solid var(--accent);padding-left:.8rem;margin:1rem 0}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;margin:.4rem 0}
caption{caption-side:bottom;text-align:left;font-size:.85rem;padding-top:.5rem}
th,td{padding:.42rem .7rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left;padding-left:0}
th:last-child,td:last-child{padding-right:0}
thead th,thead td{border-bottom:1px solid var(--soft)}
thead th{font-size:.85rem;font-weight:600;color:var(--soft);vertical-align:bottom}
tbody th{font-weight:500}
td.best{font-weight:700}
td.text,th.text{text-align:left;white-space:normal}
.figures td{font-size:1.15rem}
.figures td.text{font-size:1rem;color:var(--soft)}
figure{margin:1.2rem 0 0}
svg{display:block;width:100%;height:auto;font-family:inherit}
figcaption{font-size:.85rem;line-height:1.45;margin:.2rem 0 0}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:0 1rem}
details{margin-top:1.5rem}
summary{cursor:pointer}
.config{columns:2;column-gap:3rem;margin:.8rem 0 0;font-size:.85rem;line-height:1.5}
.config div{display:flex;justify-content:space-between;gap:1rem;break-inside:avoid;border-bottom:1px solid var(--line);padding:.22rem 0}
dt{color:var(--soft)}
dd{margin:0;text-align:right;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
@media (max-width:44rem){main{padding-top:2rem}.pair{display:block}.config{columns:1}}
@media print{@page{margin:14mm}html{font-size:11px}body{font-size:1rem}main{max-width:none;padding:0}.scroll{overflow:visible}
th,td{padding:.35rem .4rem}.config{columns:3;column-gap:2rem}section{break-before:page;border:0;margin:0;padding:0}
figure,.pair,.figures,.note{break-inside:avoid}h3,h2.part{break-after:avoid}details:not([open]){display:none}}
)css";

constexpr const char* kDark =
    ":root{--ink:#e4e9ee;--soft:#9fadba;--line:#28313a;--paper:#14191e;--accent:#ff8a4f}\n";

}  // namespace

std::string report_style() {
  return std::string(kStyle) + "@media screen and (prefers-color-scheme:dark){\n" + kDark + dark_chart_rules() + "}\n";
}

}  // namespace autodidact::train

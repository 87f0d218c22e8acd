#!/usr/bin/env bash
# Follows every link between the pages of a built site, and ends with 1 if one leads to no file or no heading.
#
# release/site-links.sh FOLDER
set -euo pipefail
cd "$1"
dead=0 followed=0
while IFS=$'\t' read -r page link; do
  followed=$((followed + 1))
  path=${link%%#*} anchor=
  [[ $link == *'#'* ]] && anchor=${link#*#}
  path=${path%%\?*}
  if [[ -z $path ]]; then target=$page; else target=$(realpath -m --relative-to=. "$(dirname "$page")/$path"); fi
  [[ -d $target ]] && target=$target/index.html
  if [[ ! -f $target ]]; then
    echo "$page: $link: there is no $target" >&2; dead=1
  elif [[ -n $anchor && $target == *.html ]] && ! grep -qF -e "id=\"$anchor\"" "$target"; then
    echo "$page: $link: $target has no $anchor" >&2; dead=1
  fi
done < <(
  find . -name '*.html' ! -name print.html ! -name 404.html ! -name toc.html -printf '%P\n' | while read -r page; do
    sed -n '/<main>/,/<\/main>/p' "$page" | grep -oE '(href|src)="[^"]*"' | sed -E 's/^[a-z]+="(.*)"$/\1/' |
      grep -vE '^(https?:|mailto:|data:|//)' | sort -u | sed "s|^|$page	|" || true
  done
)
(( followed > 500 )) || { echo "only $followed links were found: is this the site?" >&2; exit 1; }
(( dead == 0 )) || exit 1
echo "site: $followed links between pages hold"

BeforeDiscovery {
    $packed = Test-Path $PSScriptRoot/../../artifacts/package/*.nupkg
    $hasClient = $packed -and $null -ne (Get-Command Save-PSResource -ErrorAction Ignore)
}

BeforeAll {
    . $PSScriptRoot/common.ps1
    $root = (Resolve-Path $PSScriptRoot/../..).Path
    $module = Split-Path $ModulePath
    $files = Get-ChildItem $module -Recurse -File
    $manifest = Import-PowerShellDataFile $ModulePath
}

Describe 'The module as it is packed' {
    It 'names no folder of the machine that built it' {
        foreach ($file in $files) {
            $bytes = [IO.File]::ReadAllBytes($file)
            foreach ($encoding in [Text.Encoding]::Latin1, [Text.Encoding]::Unicode) {
                $encoding.GetString($bytes).Contains($root, 'OrdinalIgnoreCase') | Should -BeFalse -Because "$file is searched for '$root'"
            }
        }
        # What debuggers read keeps the parts of a path apart.
        $paths = $files | Where-Object Extension -eq .pdb | ForEach-Object {
            $provider = [System.Reflection.Metadata.MetadataReaderProvider]::FromPortablePdbStream([IO.File]::OpenRead($_))
            $reader = $provider.GetMetadataReader()
            $reader.Documents | ForEach-Object { $reader.GetString($reader.GetDocument($_).Name) }
            $provider.Dispose()
        }
        $paths.Count | Should -BeGreaterThan 100
        $paths | Where-Object { $_ -notlike '/_/*' } | Should -BeNullOrEmpty
    }

    It 'holds what is needed and nothing else' {
        $files | ForEach-Object { [IO.Path]::GetRelativePath($module, $_).Replace('\', '/') } | Where-Object {
            $_ -notmatch '^(Amp\.(psd1|psm1|Format\.ps1xml|Contracts\.dll)|LICENSE|icon\.png)$' -and
            $_ -notmatch '^en-US/(about_\w+\.help\.txt|Amp\.PowerShell\.dll-Help\.xml)$' -and
            $_ -notmatch '^bin/([\w.]+\.dll|Amp\.(PowerShell|Runtime)\.pdb|Amp\.PowerShell\.(deps|runtimeconfig)\.json)$' -and
            $_ -notmatch '^bin/runtimes/((linux|osx)-(x64|arm64)|win-x64)/native/[\w-]+\.(so|dylib|dll)$'
        } | Should -BeNullOrEmpty
        $dependencies = Get-Content (Join-Path $module bin/Amp.PowerShell.deps.json) -Raw | ConvertFrom-Json -AsHashtable
        $targets = $dependencies.targets.Values.Values
        foreach ($library in @($targets.runtime.Keys | Where-Object { $_ }) | ForEach-Object { Split-Path $_ -Leaf } | Where-Object { $_ -ne 'Amp.Contracts.dll' }) {
            Join-Path $module bin $library | Should -Exist
        }
        foreach ($library in $targets.runtimeTargets.Keys | Where-Object { $_ }) { Join-Path $module bin $library | Should -Exist }
    }

    It 'tells in its manifest what the changelog has on top' {
        $changelog = (Get-Content $root/CHANGELOG.md -Raw).Replace("`r", '') -split '\n## ' | Select-Object -Skip 1 -First 1
        $manifest.PrivateData.PSData.ReleaseNotes | Should -Be ($changelog -split '\n', 2)[1].Trim()
        $source = Get-Content $root/Amp.psd1
        Get-Content $ModulePath | Where-Object { $_ -in $source } | Should -Be ($source | Where-Object { $_ -notmatch 'ReleaseNotes' })
    }
}

Describe 'The package' -Skip:(-not $packed) {
    It 'describes itself to a gallery as the manifest does<because>' -ForEach @{ because = $packed ? '' : ' (needs ./build.sh package)' } {
        $package = [IO.Compression.ZipFile]::OpenRead((Resolve-Path $root/artifacts/package/*.nupkg).Path)
        try {
            $about = ([xml][IO.StreamReader]::new($package.GetEntry('Amp.nuspec').Open()).ReadToEnd()).package.metadata
            $package.Entries.FullName | Should -Contain $about.icon
        }
        finally {
            $package.Dispose()
        }
        $about.id | Should -BeExactly Amp
        $about.version | Should -Be $manifest.ModuleVersion
        $about.authors | Should -Be $manifest.Author
        $about.description | Should -Be $manifest.Description
        $about.license.InnerText | Should -Be MIT
        $about.releaseNotes.Replace("`r", '') | Should -Be $manifest.PrivateData.PSData.ReleaseNotes
        $tags = $about.tags -split ' '
        $tags | Sort-Object | Should -Be (@('PSModule', 'PSIncludes_Cmdlet') + $manifest.PrivateData.PSData.Tags + ($manifest.CmdletsToExport -replace '^', 'PSCommand_') | Sort-Object)
        $about.tags.Length | Should -BeLessOrEqual 4000 -Because 'galleries take no more'
    }
}

Describe 'The package in a repository' -Skip:(-not $hasClient) {
    BeforeAll {
        $folder = (New-Item (Join-Path ([IO.Path]::GetTempPath()) "amp-pester-$([guid]::NewGuid().ToString('n'))") -ItemType Directory).FullName
        $null = New-Item $folder/saved -ItemType Directory
    }

    AfterAll {
        Remove-Item $folder -Recurse -Force
    }

    It 'installs with PSResourceGet<because>' -ForEach @{ because = $hasClient ? '' : ' (needs Microsoft.PowerShell.PSResourceGet and ./build.sh package)' } {
        # The list of repositories is the user's: the child has a home of its own.
        $before = $env:HOME, $env:LOCALAPPDATA
        $env:HOME = $env:LOCALAPPDATA = $folder
        try {
            $answer = Invoke-ChildShell "
                `$ErrorActionPreference = 'Stop'
                Register-PSResourceRepository amp -Uri '$root/artifacts/package' -Trusted
                Find-PSResource Amp -Repository amp | ForEach-Object { `"`$(`$_.Name) `$(`$_.Version)`" }
                Save-PSResource Amp -Repository amp -Path '$folder/saved'
                Import-Module '$folder/saved/Amp'
                (Get-Command -Module Amp).Count
                (Start-AmpDevBroker).BootstrapServers -match ':'
                Get-Help Start-AmpJob | ForEach-Object Synopsis"
        }
        finally {
            $env:HOME, $env:LOCALAPPDATA = $before
        }
        $answer | Should -Be "Amp $($manifest.ModuleVersion)", $manifest.CmdletsToExport.Count, True, (Get-Help Start-AmpJob).Synopsis
        $saved = Get-ChildItem $folder/saved/Amp/* -Recurse -File | ForEach-Object { [IO.Path]::GetRelativePath("$folder/saved/Amp/$($manifest.ModuleVersion)", $_) }
        $saved | Where-Object { $_ -ne 'icon.png' } | Sort-Object | Should -Be ($files | ForEach-Object { [IO.Path]::GetRelativePath($module, $_) } | Where-Object { $_ -ne 'icon.png' } | Sort-Object)
    }
}
